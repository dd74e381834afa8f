package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// logo serves a consent logo by its content's hash. It is public: users see it
// before they have signed in, and Slate's pages show it.
func (s *Surface) logo(w http.ResponseWriter, r *http.Request) error {
	none := web.NotFound("There is no logo at this address.")
	name, ok := strings.CutSuffix(r.PathValue("file"), ".png")
	hash, err := registry.ParseLogoHash(name)
	if !ok || err != nil {
		return none
	}
	png, err := s.Store.Logo(r.Context(), hash)
	if errors.Is(err, store.ErrNotFound) {
		return none
	}
	if err != nil {
		return err
	}
	// Somebody uploaded this. It is a PNG that registry encoded, and even so no
	// browser is to take it for anything else (GHSA-hr5w-cwwq-2v4m).
	h := w.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Content-Length", strconv.Itoa(len(png)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	_, err = w.Write(png)
	return err
}
