package sdk

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	mux := http.NewServeMux()
	Routes(mux)
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

// TestFiles: pages of any origin can load them, and ask again at little cost.
func TestFiles(t *testing.T) {
	tags := map[string]string{}
	for path, kind := range map[string]string{
		"/sdk/login.js": "text/javascript; charset=utf-8", "/sdk/button/light-195x46.svg": "image/svg+xml", "/sdk/button/dark-32x32.svg": "image/svg+xml",
	} {
		w := get(t, path, "Origin", "https://www.example.com")
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("Content-Type") != kind || h.Get("Cross-Origin-Resource-Policy") != "cross-origin" ||
			h.Get("Access-Control-Allow-Origin") != "*" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Cache-Control"), "public, max-age=") ||
			h.Get("Set-Cookie") != "" || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v", path, w.Code, h)
		}
		tag := h.Get("ETag")
		if other := tags[tag]; tag == "" || other != "" {
			t.Errorf("%s and %s have the tag %q", path, other, tag)
		}
		tags[tag] = path
		if again := get(t, path, "If-None-Match", tag); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s again: %d, %d bytes", path, again.Code, again.Body.Len())
		}
	}
	for _, path := range []string{"/sdk/", "/sdk/login.js/", "/sdk/sdk.go", "/sdk/button/light-1x1.svg", "/sdk/button/"} {
		if w := get(t, path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestButtons: each drawing is well-formed, of the size that its name says, told to
// who cannot see it, and asks for nothing from anywhere.
func TestButtons(t *testing.T) {
	sizes := map[Style]map[string]bool{}
	for _, b := range Buttons() {
		if sizes[b.Style] == nil {
			sizes[b.Style] = map[string]bool{}
		}
		sizes[b.Style][b.Name()] = true
		w := get(t, b.Path())
		drawing := w.Body.String()
		if w.Code != http.StatusOK || !strings.Contains(drawing, fmt.Sprintf(`width="%d" height="%d"`, b.Width, b.Height)) ||
			!strings.Contains(drawing, `role="img"`) || !strings.Contains(drawing, "<title>Login</title>") {
			t.Errorf("%s: %d %s", b.Path(), w.Code, drawing)
		}
		for _, forbidden := range []string{"href", "url(", "<script", "<style", " on"} {
			if strings.Contains(drawing, forbidden) {
				t.Errorf("%s holds %q", b.Path(), forbidden)
			}
		}
		if letters := strings.Contains(drawing, "<text"); letters != (b.Width > b.Height) {
			t.Errorf("%s: letters %v", b.Path(), letters)
		}
		for d := xml.NewDecoder(strings.NewReader(drawing)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", b.Path(), err)
			}
		}
	}
	if len(sizes) != 2 || len(sizes[Light]) < 3 || len(sizes[Light]) != len(sizes[Dark]) {
		t.Errorf("the buttons are %v", sizes)
	}
}

// TestButtonContrast: WCAG 2.2 asks for 4.5 : 1 for the letters and 3 : 1 for the mark
// and the edge against what is beside them.
func TestButtonContrast(t *testing.T) {
	for style, page := range map[Style]string{Light: "#ffffff", Dark: "#171614"} {
		c := style.colours()
		for what, tt := range map[string]struct {
			a, b string
			most float64
		}{
			"letters": {c.words, c.ground, 4.5}, "roof": {c.roof, c.ground, 3}, "gate": {c.gate, c.ground, 3}, "edge": {c.line, page, 3},
		} {
			if got := contrast(t, tt.a, tt.b); got < tt.most {
				t.Errorf("%s %s: %.2f : 1, want %.1f", style, what, got, tt.most)
			}
		}
	}
}

func contrast(t *testing.T, a, b string) float64 {
	light, dark := luminance(t, a), luminance(t, b)
	return (max(light, dark) + .05) / (min(light, dark) + .05)
}

// luminance is WCAG's relative luminance of #rrggbb.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	var rgb [3]uint8
	if _, err := fmt.Sscanf(colour, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil {
		t.Fatal(colour, err)
	}
	var sum float64
	for i, weight := range []float64{.2126, .7152, .0722} {
		v := float64(rgb[i]) / 255
		if v <= .04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
