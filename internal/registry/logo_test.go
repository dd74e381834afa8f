package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	red   = color.RGBA{0xff, 0, 0, 0xff}
	blue  = color.RGBA{0, 0, 0xff, 0xff}
	clear = color.RGBA{}
)

// picture is red on the left and blue on the right.
func picture(width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			m.SetRGBA(x, y, red)
			if x >= width/2 {
				m.SetRGBA(x, y, blue)
			}
		}
	}
	return m
}

func pngOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func jpegOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gifOf is an animation on a screen of 40 × 20: a red 20 × 20 frame at the right, then a blue one.
func gifOf(t testing.TB) []byte {
	t.Helper()
	animation := &gif.GIF{Config: image.Config{Width: 40, Height: 20}, Delay: []int{10, 10}}
	for _, c := range []color.Color{red, blue} {
		animation.Image = append(animation.Image, image.NewPaletted(image.Rect(20, 0, 40, 20), color.Palette{c}))
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, animation); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// webpOf is a lossless WebP of one pixel.
func webpOf(t testing.TB) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// pngHeader is a PNG that claims a size and has no pixels.
func pngHeader(width, height uint32) []byte {
	chunk := []byte("IHDR")
	chunk = binary.BigEndian.AppendUint32(chunk, width)
	chunk = binary.BigEndian.AppendUint32(chunk, height)
	chunk = append(chunk, 8, 6, 0, 0, 0)
	data := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d" + string(chunk))
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(chunk))
}

func decodePNG(t testing.TB, data []byte) image.Image {
	t.Helper()
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func colorAt(m image.Image, x, y int) color.RGBA {
	return color.RGBAModel.Convert(m.At(x, y)).(color.RGBA)
}

func TestLogoDecoder(t *testing.T) {
	tests := map[string]struct {
		data          []byte
		width, height int
		left, right   color.RGBA
	}{
		"PNG":                   {pngOf(t, picture(100, 60)), 100, 60, red, blue},
		"PNG at the pixel edge": {pngOf(t, picture(2048, 2048)), 512, 512, red, blue},
		"wide PNG":              {pngOf(t, picture(2048, 100)), 512, 25, red, blue},
		"tall PNG":              {pngOf(t, picture(3, 2000)), 1, 512, color.RGBA{}, color.RGBA{}},
		"one column":            {pngOf(t, picture(2, 10_000)), 1, 512, color.RGBA{}, color.RGBA{}},
		"JPEG":                  {jpegOf(t, picture(1024, 512)), 512, 256, red, blue},
		"GIF, its first frame":  {gifOf(t), 40, 20, clear, red},
		"WebP":                  {webpOf(t), 1, 1, color.RGBA{}, color.RGBA{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			logo, err := NewLogoDecoder().Decode(t.Context(), tt.data)
			if err != nil {
				t.Fatal(err)
			}
			m := decodePNG(t, logo.PNG)
			if got, want := m.Bounds(), image.Rect(0, 0, tt.width, tt.height); got != want || logo.Width != tt.width || logo.Height != tt.height {
				t.Errorf("size: %v, said to be %d × %d, want %v", got, logo.Width, logo.Height, want)
			}
			if logo.Hash != sha256.Sum256(logo.PNG) {
				t.Errorf("hash: %s is not of what is stored", logo.Hash)
			}
			if tt.left == tt.right {
				return
			}
			y := tt.height / 2
			if left, right := colorAt(m, 2, y), colorAt(m, tt.width-3, y); !near(left, tt.left) || !near(right, tt.right) {
				t.Errorf("colours: %v and %v, want %v and %v", left, right, tt.left, tt.right)
			}
		})
	}
}

func near(a, b color.RGBA) bool {
	close := func(x, y uint8) bool { return max(x, y)-min(x, y) <= 4 }
	return close(a.R, b.R) && close(a.G, b.G) && close(a.B, b.B) && close(a.A, b.A)
}

func TestLogoDecoderDropsAllButPixels(t *testing.T) {
	plain := pngOf(t, picture(10, 10))
	text := []byte("tEXtComment\x00<script>alert(1)</script>")
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(text)-4))
	chunk = append(chunk, text...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(text))
	const afterHeader = 8 + 25
	data := append(append(append([]byte{}, plain[:afterHeader]...), chunk...), plain[afterHeader:]...)
	data = append(data, "<html><script>alert(2)</script>"...)

	logo, err := NewLogoDecoder().Decode(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(logo.PNG, []byte("script")) {
		t.Error("text of the upload is in what is served")
	}
	if want, err := NewLogoDecoder().Decode(t.Context(), plain); err != nil || want.Hash != logo.Hash {
		t.Errorf("the same picture has another hash: %s and %s (%v)", logo.Hash, want.Hash, err)
	}
}

func TestLogoDecoderRefuses(t *testing.T) {
	photo := jpegOf(t, picture(400, 300))
	small := webpOf(t)
	tests := map[string]struct {
		data []byte
		want string
	}{
		"empty":                {nil, "The file is empty."},
		"too large":            {append(pngOf(t, picture(1, 1)), make([]byte, 1<<20)...), "which is more than 1 MiB"},
		"SVG":                  {[]byte(`<?xml version="1.0"?><!-- drawn --> <svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "SVG"},
		"bare SVG":             {[]byte("\ufeff\n<SVG onload=alert(1)>"), "SVG"},
		"HTML":                 {[]byte("<!DOCTYPE html><title>x</title>"), "HTML"},
		"script":               {[]byte("hello <script>alert(1)</script>"), "HTML"},
		"HTML with PNG magic":  {[]byte("\x89PNG\r\n\x1a\n<html><script>alert(1)</script>"), "The PNG file is damaged"},
		"HTML with GIF magic":  {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00<html><script>alert(1)</script>"), "The GIF file is damaged"},
		"PDF":                  {[]byte("%PDF-1.7\n"), "PDF"},
		"BMP":                  {[]byte("BM\x00\x00\x00\x00"), "BMP"},
		"AVIF":                 {[]byte("\x00\x00\x00\x1cftypavif\x00\x00"), "AVIF"},
		"text":                 {[]byte("my logo.png"), "not an image"},
		"other RIFF":           {[]byte("RIFF\x04\x00\x00\x00WAVEfmt "), "not an image"},
		"magic alone":          {[]byte("\x89PNG\r\n\x1a\n"), "The PNG file is damaged"},
		"truncated PNG":        {pngOf(t, picture(100, 60))[:80], "The PNG file is damaged"},
		"truncated JPEG":       {photo[:len(photo)/2], "The JPEG file is damaged"},
		"truncated GIF":        {gifOf(t)[:40], "The GIF file is damaged"},
		"truncated WebP":       {small[:len(small)-4], "The WebP file is damaged"},
		"huge PNG":             {pngHeader(50_000, 50_000), "The image has 50000 × 50000 pixels"},
		"largest PNG":          {pngHeader(1<<31-1, 1<<31-1), "The PNG file is damaged"},
		"PNG one row too many": {pngHeader(2048, 2049), "The image has 2048 × 2049 pixels"},
		"PNG that is a line":   {pngHeader(10_001, 1), "The image has 10001 × 1 pixels"},
		"PNG without pixels":   {pngHeader(0, 10), "The PNG file is damaged"},
		"GIF without pixels":   {[]byte("GIF89a\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x01\x2c\x00;"), "The GIF file is damaged"},
		"huge GIF":             {[]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), "The image has 65535 × 65535 pixels"},
		"huge WebP":            {[]byte("RIFF\x16\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f\xff\xff\xff\x0f\x00\x00\x00\x00\x00"), "The image has 16384 × 16384 pixels"},
		"small WebP around a huge one": {[]byte("RIFF\x28\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" +
			"VP8L\x0a\x00\x00\x00\x2f\xff\xff\xff\x0f\x00\x00\x00\x00\x00"), "The WebP file is damaged"},
		"animated WebP":       {[]byte("RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "animated WebP"},
		"JPEG of many scans":  {manyScans(photo, 65), "too many scans"},
		"frame beyond screen": {frameBeyondScreen(gifOf(t)), "The GIF file is damaged"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			logo, err := NewLogoDecoder().Decode(t.Context(), tt.data)
			problem, ok := errors.AsType[*LogoProblem](err)
			if !ok || logo.PNG != nil {
				t.Fatalf("Decode = %d bytes, %v", len(logo.PNG), err)
			}
			if !strings.Contains(problem.Message, tt.want) {
				t.Errorf("%q, want %q in it", problem.Message, tt.want)
			}
			if strings.Count(problem.Message, ".") < 2 {
				t.Errorf("%q does not say what to upload instead", problem.Message)
			}
		})
	}
}

// manyScans repeats the photo's only scan.
func manyScans(photo []byte, n int) []byte {
	start := bytes.Index(photo, []byte{0xff, 0xda})
	scan := photo[start : len(photo)-2]
	return append(append([]byte{}, photo[:start]...), append(bytes.Repeat(scan, n), 0xff, 0xd9)...)
}

// frameBeyondScreen makes the logical screen smaller than the first frame, which must not set the size.
func frameBeyondScreen(data []byte) []byte {
	data = bytes.Clone(data)
	copy(data[6:], []byte{1, 0, 1, 0})
	return data
}

func TestJPEGScans(t *testing.T) {
	photo := jpegOf(t, picture(64, 64))
	if got := jpegScans(photo); got != 1 {
		t.Errorf("a baseline JPEG has %d scans, want 1", got)
	}
	if got := jpegScans(manyScans(photo, 70)); got != 70 {
		t.Errorf("%d scans counted, want 70", got)
	}
	// A marker inside a comment is not a scan.
	comment := append([]byte{0xff, 0xd8, 0xff, 0xfe, 0, 10}, bytes.Repeat([]byte{0xff, 0xda}, 4)...)
	if got := jpegScans(append(comment, photo[2:]...)); got != 1 {
		t.Errorf("with a comment: %d scans, want 1", got)
	}
}

func TestLogoDecoderWaitsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := NewLogoDecoder()
		d.slot <- struct{}{} // another decode is running
		data := pngOf(t, picture(1, 1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Decode(ctx, data); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while another runs: %v, want the context's end", err)
		}
		<-d.slot
		if _, err := d.Decode(ctx, data); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the context's end: %v", err)
		}
		d.slot <- struct{}{}
		if _, err := d.Decode(t.Context(), []byte("text")); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("what is no image waits: %v", err)
		}
		done := make(chan error)
		go func() {
			_, err := d.Decode(t.Context(), data)
			done <- err
		}()
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("two decodes at a time: %v", err)
		default:
		}
		<-d.slot
		if err := <-done; err != nil {
			t.Error(err)
		}
		if _, err := d.Decode(t.Context(), data); err != nil {
			t.Errorf("the slot was not given back: %v", err)
		}
	})
}

func TestLogoFormatSurvivesAPanic(t *testing.T) {
	format := logoFormat{
		name:   "PNG",
		config: png.DecodeConfig,
		decode: func(io.Reader) (image.Image, error) { panic("index out of range") },
	}
	logo, err := format.logo(pngOf(t, picture(1, 1)))
	if problem, ok := errors.AsType[*LogoProblem](err); !ok || logo.PNG != nil || !strings.Contains(problem.Message, "damaged") {
		t.Errorf("logo = %d bytes, %v", len(logo.PNG), err)
	}
}

func TestParseLogoHash(t *testing.T) {
	want := LogoHash{0: 0xab, 31: 0x01}
	const text = "ab00000000000000000000000000000000000000000000000000000000000001"
	if got, err := ParseLogoHash(text); err != nil || got != want || got.String() != text {
		t.Errorf("ParseLogoHash = %s, %v", got, err)
	}
	for _, bad := range []string{"", text[1:], text + "0", strings.ToUpper(text), "../" + text[3:]} {
		if got, err := ParseLogoHash(bad); err == nil {
			t.Errorf("ParseLogoHash(%q) = %s, want an error", bad, got)
		}
	}
}

func FuzzLogoDecoder(f *testing.F) {
	for _, data := range [][]byte{
		pngOf(f, picture(30, 20)), jpegOf(f, picture(30, 20)), gifOf(f), webpOf(f), pngHeader(50_000, 50_000),
		[]byte("<svg/>"), pngOf(f, picture(600, 2)),
	} {
		f.Add(data)
	}
	d := NewLogoDecoder()
	f.Fuzz(func(t *testing.T, data []byte) {
		logo, err := d.Decode(t.Context(), data)
		if err != nil {
			if problem, ok := errors.AsType[*LogoProblem](err); !ok || problem.Message == "" {
				t.Errorf("an error that is not for the person who uploads: %v", err)
			}
			return
		}
		m := decodePNG(t, logo.PNG)
		if b := m.Bounds(); b.Dx() > 512 || b.Dy() > 512 || b.Dx() != logo.Width || b.Dy() != logo.Height {
			t.Errorf("%v, said to be %d × %d", b, logo.Width, logo.Height)
		}
		if logo.Hash != sha256.Sum256(logo.PNG) {
			t.Error("the hash is not of what is stored")
		}
	})
}
