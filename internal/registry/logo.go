package registry

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
	"golang.org/x/image/webp"
)

// Limits of a consent logo.
const (
	LogoMaxBytes  = 1 << 20
	LogoMaxPixels = 4 << 20 // as many as 2048 × 2048
	LogoMaxSide   = 10_000  // a line of pixels passes the other limit, but not as a logo
	LogoFitSide   = 512     // what is stored fits a square of this side

	// jpegMaxScans bounds the time of a progressive JPEG, each of whose scans may visit every pixel in a few bytes of
	// input. Encoders write about ten.
	jpegMaxScans = 64
)

const logoAdvice = "Upload a PNG, JPEG, GIF or WebP image of at most 1 MiB and 4 megapixels."

// LogoHash names a logo by its content: SHA-256 of the PNG.
type LogoHash [32]byte

// String is the hash in hexadecimal, as it stands in the logo's URL.
func (h LogoHash) String() string { return hex.EncodeToString(h[:]) }

// ParseLogoHash reads what [LogoHash.String] writes.
func ParseLogoHash(s string) (LogoHash, error) {
	var h LogoHash
	if !isLowerHex(s, 2*len(h)) {
		return LogoHash{}, fmt.Errorf("not a logo's hash: one is %d lower-case hexadecimal digits", 2*len(h))
	}
	_, err := hex.Decode(h[:], []byte(s))
	return h, err
}

// Logo is a consent logo as it is stored and served: always a PNG that this program encoded, so that nothing of the
// uploaded file but its pixels reaches a browser (GHSA-hr5w-cwwq-2v4m).
type Logo struct {
	PNG           []byte
	Hash          LogoHash
	Width, Height int
}

// LogoProblem says why an upload is not taken as a logo, and what to upload instead.
type LogoProblem struct{ Message string }

func (p *LogoProblem) Error() string { return p.Message }

// LogoDecoder decodes one logo at a time: at its limits an image takes some 100 MiB while it is decoded and scaled.
type LogoDecoder struct{ slot chan struct{} }

// NewLogoDecoder returns a decoder for the whole process to share.
func NewLogoDecoder() *LogoDecoder { return &LogoDecoder{slot: make(chan struct{}, 1)} }

// Decode turns an uploaded file into a logo. Its type is told by its content, never by a name or header that came with
// it; its size is read from the image's header before anything is decoded. An error is a [*LogoProblem], or ctx's when
// that ended while waiting for another image.
func (d *LogoDecoder) Decode(ctx context.Context, data []byte) (Logo, error) {
	switch {
	case len(data) == 0:
		return Logo{}, &LogoProblem{"The file is empty. " + logoAdvice}
	case len(data) > LogoMaxBytes:
		return Logo{}, &LogoProblem{fmt.Sprintf("The file has %.1f MiB, which is more than 1 MiB. Save it smaller or compress it more.", float64(len(data))/(1<<20))}
	}
	format, problem := sniffLogo(data)
	if problem != nil {
		return Logo{}, problem
	}
	if err := ctx.Err(); err != nil {
		return Logo{}, err
	}
	select {
	case d.slot <- struct{}{}:
		defer func() { <-d.slot }()
	case <-ctx.Done():
		return Logo{}, fmt.Errorf("waiting for another logo: %w", ctx.Err())
	}
	return format.logo(data)
}

// logoFormat is one of the accepted kinds of file.
type logoFormat struct {
	name   string
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

func (f logoFormat) damaged() *LogoProblem {
	return &LogoProblem{"The " + f.name + " file is damaged or cut short: it cannot be read to its end. Save the image again and upload that."}
}

// logo decodes, scales and encodes. The decoders are not ours, and the data is anyone's: a panic in one of them is
// taken for damage.
func (f logoFormat) logo(data []byte) (logo Logo, err error) {
	defer func() {
		if recover() != nil {
			logo, err = Logo{}, f.damaged()
		}
	}()
	config, err := f.config(bytes.NewReader(data))
	if err != nil || config.Width < 1 || config.Height < 1 {
		return Logo{}, f.damaged()
	}
	if int64(config.Width)*int64(config.Height) > LogoMaxPixels || max(config.Width, config.Height) > LogoMaxSide {
		return Logo{}, &LogoProblem{fmt.Sprintf(
			"The image has %d × %d pixels, which is too many. Scale it down to 4 megapixels or less (512 × 512 is all that is kept).",
			config.Width, config.Height)}
	}
	if f.name == "JPEG" && jpegScans(data) > jpegMaxScans {
		return Logo{}, &LogoProblem{"The JPEG file is made of too many scans. Save it as an ordinary JPEG or PNG and upload that."}
	}
	decoded, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return Logo{}, f.damaged()
	}
	return encodeLogo(decoded, image.Rect(0, 0, config.Width, config.Height))
}

// encodeLogo scales the image down to fit and encodes it. The canvas is the whole picture, of which a GIF's first
// frame may be only a part.
func encodeLogo(decoded image.Image, canvas image.Rectangle) (Logo, error) {
	whole := image.NewRGBA(canvas)
	draw.Draw(whole, decoded.Bounds(), decoded, decoded.Bounds().Min, draw.Src)
	fitted := whole
	if width, height := fit(canvas.Dx(), canvas.Dy()); width < canvas.Dx() || height < canvas.Dy() {
		fitted = image.NewRGBA(image.Rect(0, 0, width, height))
		draw.CatmullRom.Scale(fitted, fitted.Bounds(), whole, whole.Bounds(), draw.Src, nil)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, fitted); err != nil {
		return Logo{}, fmt.Errorf("encoding a logo: %w", err)
	}
	return Logo{
		PNG:    b.Bytes(),
		Hash:   sha256.Sum256(b.Bytes()),
		Width:  fitted.Bounds().Dx(),
		Height: fitted.Bounds().Dy(),
	}, nil
}

// fit returns the size of an image within the square that is kept, never enlarged and never without a pixel.
func fit(width, height int) (int, int) {
	longer := max(width, height)
	if longer <= LogoFitSide {
		return width, height
	}
	scale := func(n int) int { return max(1, (n*LogoFitSide+longer/2)/longer) }
	return scale(width), scale(height)
}

// jpegScans counts the scans that a decoder would go through (ITU-T T.81 annex B).
func jpegScans(data []byte) int {
	scans := 0
	for i := 2; i+3 < len(data); {
		marker := data[i+1]
		switch {
		case data[i] != 0xff, marker == 0xff: // a scan's data, or fill before a marker
			i++
		case marker == 0x00, marker == 0x01, 0xd0 <= marker && marker <= 0xd8: // no length follows
			i += 2
		case marker == 0xd9: // end of image
			return scans
		default:
			if marker == 0xda {
				scans++
			}
			i += 2 + (int(data[i+2])<<8 | int(data[i+3]))
		}
	}
	return scans
}

// sniffLogo tells the kind of file by its first bytes, and names the commonest wrong kinds.
func sniffLogo(data []byte) (logoFormat, *LogoProblem) {
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return logoFormat{"PNG", png.DecodeConfig, png.Decode}, nil
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return logoFormat{"JPEG", jpeg.DecodeConfig, jpeg.Decode}, nil
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		// gif.Decode stops after the first frame, however many follow.
		return logoFormat{"GIF", gif.DecodeConfig, gif.Decode}, nil
	case isRIFF(data, "WEBP"):
		if isAnimatedWebP(data) {
			return logoFormat{}, &LogoProblem{"The file is an animated WebP. Upload a still image: PNG, JPEG, GIF or WebP."}
		}
		return logoFormat{"WebP", webp.DecodeConfig, webp.Decode}, nil
	}
	return logoFormat{}, &LogoProblem{wrongKind(data)}
}

func isRIFF(data []byte, form string) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == form
}

// isAnimatedWebP reads the animation flag of the extended header, which the decoder does not support.
func isAnimatedWebP(data []byte) bool {
	return len(data) > 20 && string(data[12:16]) == "VP8X" && data[20]&0x02 != 0
}

func wrongKind(data []byte) string {
	head := bytes.ToLower(data[:min(len(data), 1024)])
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	contains := func(s string) bool { return bytes.Contains(head, []byte(s)) }
	begins := func(s string) bool { return bytes.HasPrefix(head, []byte(s)) }
	switch {
	case contains("<svg"):
		return "The file is an SVG drawing, which can carry programs and is not accepted. Export it as PNG, 512 × 512 pixels or so, and upload that."
	case begins("<!doctype html"), contains("<html"), contains("<body"), contains("<script"):
		return "The file is a web page (HTML), not an image. " + logoAdvice
	case begins("%pdf-"):
		return "The file is a PDF document, not an image. Export it as PNG and upload that."
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		return "The file is a HEIC, AVIF or video file, which is not accepted. Save it as PNG or JPEG and upload that."
	case begins("bm"), begins("ii*\x00"), begins("mm\x00*"), begins("\x00\x00\x01\x00"):
		return "The file is a BMP, TIFF or ICO image, which is not accepted. Save it as PNG and upload that."
	default:
		return "The file is not an image of a kind that is accepted, whatever its name says. " + logoAdvice
	}
}
