package store_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatelodge/internal/account"
	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// Whoever has a copy of the database, and not the key file, has no client secret,
// sealing key, signing key, key of user ids, session or recovery link.
func TestNothingSecretIsInClear(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		ctx := t.Context()
		user, d := w.Developer(t, "dev@example.com")
		p, first := w.Profile(t, d.ID, "Reports")
		const second = "amzn1.oa2-cs.v1.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
		session, s := account.NewSession(user.ID, "", "", storetest.Now())
		link, r := account.NewRecovery(user.ID, storetest.Now())
		signing := signingKey("kid", 0)
		deviceCode, userCode := authz.NewDeviceCode(), authz.NewUserCode(oauth.Standard)
		pair := pairOf(p.ID, 0, 1)
		pair.DeviceCode, pair.UserCode = authz.DigestDeviceCode(deviceCode), userCode.Digest()
		initial := registry.NewInitialToken()
		for _, err := range []error{
			errOf(w.Store.AddSecret(ctx, d.ID, p.ID, second, storetest.By(0))),
			errOf(w.Store.ShowSecret(ctx, d.ID, p.ID, p.Secrets[0].ID, storetest.By(0))),
			w.Store.CreateSession(ctx, s),
			w.Store.CreateDevicePair(ctx, pair, storetest.Now()),
			errOf(w.Store.CreateInitialToken(ctx, registry.InitialToken{DeveloperID: d.ID, UsesLeft: 1, ExpiresAt: storetest.Now()}, registry.Digest(initial), storetest.By(0))),
			w.Store.CreateRecovery(ctx, r, "", storetest.Now()),
			w.Store.AddSigningKey(ctx, signing, storetest.By(0)),
			errOf(w.Store.RotateSealingKey(ctx, storetest.Now(), storetest.By(0))),
			errOf(w.Store.Reseal(ctx, storetest.By(0))),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		identity, err := w.Store.Identify(ctx, "", storetest.Now())
		if err != nil {
			t.Fatal(err)
		}
		keys, err := w.Store.SealingKeys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		hidden := map[string]string{
			"first client secret": first, "second client secret": second, "session": session, "recovery link": link, "initial access token": initial,
			"device code": deviceCode, "user code": string(userCode),
			"key of user ids": string(identity.SubjectKey), "signing key": string(signing.Private[:32]),
			"sealing key": string(keys[0].Secret[:]), "new sealing key": string(keys[1].Secret[:]),
		}

		if w.DB.Dialect() == sqldb.SQLite {
			for _, name := range []string{"", "-wal"} {
				file := w.Config.Path + name
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if name == "-wal" && !bytes.Contains(content, []byte(p.Name)) {
					t.Error("the -wal file is not what was written")
				}
				for what, value := range hidden {
					if bytes.Contains(content, []byte(value)) {
						t.Errorf("%s is in clear in %s", what, filepath.Base(file))
					}
				}
			}
		}
		for place, value := range allValues(t, w) {
			for what, secret := range hidden {
				if strings.Contains(value, secret) {
					t.Errorf("%s is in clear in %s", what, place)
				}
			}
		}
		if _, err := store.New(w.DB, anotherRing(t)).ShowSecret(ctx, d.ID, p.ID, p.Secrets[0].ID, storetest.By(0)); err == nil {
			t.Error("a client secret opens without the key file")
		}
	})
}

// allValues reads every value of the database, by place.
func allValues(t *testing.T, w *storetest.World) map[string]string {
	t.Helper()
	tables, err := w.DB.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, table := range tables {
		for _, c := range table.Columns {
			rows, err := w.DB.Query(t.Context(), `SELECT `+c.Name+` FROM `+table.Name)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; rows.Next(); i++ {
				var v []byte
				if err := rows.Scan(&v); err != nil {
					t.Fatal(err)
				}
				values[fmt.Sprintf("%s.%s %d", table.Name, c.Name, i)] = string(v)
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(values) < 100 {
		t.Errorf("read only %d values", len(values))
	}
	return values
}
