package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"gatelodge/internal/sqldb"
)

// TestPictures makes the pictures of the README anew:
//
//	GATELODGE_PICTURES=../docs/pictures go test -run TestPictures ./e2e
func TestPictures(t *testing.T) {
	folder := os.Getenv("GATELODGE_PICTURES")
	if folder == "" {
		t.Skip("GATELODGE_PICTURES names no folder for them")
	}
	s := serve(t, sqldb.SQLite)
	studio := person{"Harbour Light Pictures", "api@harbourlight.example", "a lamp above the water"}
	p := studio.develop(t, s)
	p.scheme("light")
	f := downloader
	f.privacy, f.returnURL = "https://harbourlight.example/privacy/reports", "https://reports.harbourlight.example/back"
	app := &application{t: t, issuer: s.issuer, returnURL: f.returnURL, credentials: f.create(p)}
	p.press("General")
	p.choose("Consent Logo Image", pictureFile(t, "logo.png"))
	p.press("Save")
	p.press("Web Settings")
	p.press("Edit")
	p.fill("Note for URL 1", "production")
	p.click("Add another")
	p.fill("Allowed Return URLs (added)", "https://localhost")
	p.fill("Note for this URL", "by hand")
	p.press("Save")
	p.press("General")
	p.press("Web Settings")
	save(t, folder, "console.png", p.cut(image.Rect(0, 0, desktop, p.bottom("#return-url-1")+32), 1))

	user := newPage(t, s)
	user.scheme("light")
	user.open(app.authorizeURL("profile postal_code", ""))
	user.press("Create an account")
	person{"Mira Okafor", "mira@harbourlight.example", "many small lanterns"}.fillSignUp(user)
	user.press("Create your account")
	user.open("/account")
	user.fill("Postal code", "20457")
	user.press("Save")
	user.open(app.authorizeURL("profile postal_code", ""))
	card := evaluate[[]int](user, `(({left, top, right, bottom}) => [left, top, right, bottom].map(Math.round))(document.querySelector("main .card").getBoundingClientRect())`)
	save(t, folder, "consent.png", user.cut(image.Rect(card[0], card[1], card[2], card[3]).Inset(-12), 2))
}

// bottom is where an element ends on the page.
func (p *page) bottom(selector string) int {
	p.t.Helper()
	return evaluate[int](p, `Math.round(document.querySelector("`+selector+`").getBoundingClientRect().bottom + scrollY)`)
}

// cut is a picture of a part of the page.
func (p *page) cut(part image.Rectangle, scale float64) []byte {
	p.t.Helper()
	ctx, cancel := p.limited()
	defer cancel()
	beyond := true
	result, err := chromedp.Call(ctx, cdpage.CaptureScreenshot, cdpage.CaptureScreenshotParams{
		Clip: &cdpage.Viewport{
			X: float64(part.Min.X), Y: float64(part.Min.Y), Width: float64(part.Dx()), Height: float64(part.Dy()), Scale: scale,
		},
		CaptureBeyondViewport: &beyond,
	})
	p.must(err)
	return result.Data
}

func save(t *testing.T, folder, name string, picture []byte) {
	t.Helper()
	const most = 200 << 10
	if len(picture) > most {
		t.Errorf("%s has %d bytes, want at most %d", name, len(picture), most)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name), picture, 0o644); err != nil {
		t.Fatal(err)
	}
}

// pictureFile writes a logo into a file of the given name: a play button in a ring.
func pictureFile(t *testing.T, name string) string {
	t.Helper()
	const size = 160
	back, front := color.RGBA{23, 68, 92, 255}, color.RGBA{246, 196, 83, 255}
	inside := func(x, y float64) bool {
		r := math.Hypot(x, y)
		return r > .56 && r < .7 || x > -.2 && x < .36 && math.Abs(y) < (.36-x)*.6
	}
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	mix := func(a, b uint8, n int) uint8 { return uint8((int(a)*(9-n) + int(b)*n) / 9) }
	for py := range size {
		for px := range size {
			n := 0 // of nine samples, so that edges are smooth
			for i := range 9 {
				if inside((float64(px)+float64(i%3)/3)/size*2-1, (float64(py)+float64(i/3)/3)/size*2-1) {
					n++
				}
			}
			img.SetRGBA(px, py, color.RGBA{mix(back.R, front.R, n), mix(back.G, front.G, n), mix(back.B, front.B, n), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
