package store

import "gatelodge/internal/registry"

const deviceColumns = `id, client_key, name, created_at`

func scanDevice(row scanner) (registry.DeviceClient, error) {
	var d registry.DeviceClient
	var key []byte
	var created int64
	if err := row.Scan(&d.ID, &key, &d.Name, &created); err != nil {
		return d, err
	}
	d.CreatedAt = fromMicros(created)
	return d, fixed(d.Client[:], key, "device_clients.client_key")
}
