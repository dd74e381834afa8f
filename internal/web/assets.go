package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed assets
var assetFS embed.FS

// assetTypes are the only kinds of file that are served, with fixed types.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
	".png": "image/png",
	".ico": "image/x-icon",
}

// assetSet is all assets under one hash: modules import each other by relative
// names, so they have to live in one folder and change together.
type assetSet struct {
	hash  string
	files map[string][]byte
}

// loadAssets reads the kit's own assets and then more, which may be nil.
func loadAssets(more fs.FS) (assetSet, error) {
	set := assetSet{files: map[string][]byte{}}
	own, err := fs.Sub(assetFS, "assets")
	if err != nil {
		return set, err
	}
	sum := sha256.New()
	for _, fsys := range []fs.FS{own, more} {
		if fsys == nil {
			continue
		}
		// WalkDir goes in lexical order, so the hash depends on the contents alone.
		err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			if assetTypes[path.Ext(name)] == "" {
				return fmt.Errorf("%s has no type", name)
			}
			data, err := fs.ReadFile(fsys, name)
			if err != nil {
				return err
			}
			set.files[name] = data
			fmt.Fprintf(sum, "%s %d\n", name, len(data))
			sum.Write(data)
			return nil
		})
		if err != nil {
			return set, err
		}
	}
	set.hash = hex.EncodeToString(sum.Sum(nil))[:16]
	return set, nil
}

func (s assetSet) url(name string) (string, error) {
	if _, ok := s.files[name]; !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return "/assets/" + s.hash + "/" + name, nil
}

// Asset returns the address of an asset, or "" when there is no such one.
func (k *Kit) Asset(name string) string {
	u, err := k.assets.url(name)
	if err != nil {
		return ""
	}
	return u
}

// Assets serves "/assets/{hash}/{name}". While a new version is being rolled
// out, a page of one replica may ask another for a hash that it does not know:
// it answers with what it has, and nobody keeps that answer.
func (k *Kit) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hash, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/assets/"), "/")
		data, ok := k.assets.files[name]
		if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			k.NotFound(Link{"Home", "/"}).ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", assetTypes[path.Ext(name)])
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// An SVG opened by itself is a document: it may run nothing.
		h.Set(cspHeader, "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		if hash == k.assets.hash {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
	})
}
