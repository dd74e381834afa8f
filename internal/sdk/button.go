package sdk

import (
	"fmt"
	"strings"
)

// Style is the ground that a button is for.
type Style string

const (
	Light Style = "light" // for light pages
	Dark  Style = "dark"  // for dark pages
)

// colours are those of the console (web/assets/app.css), each pair at least 4.5 : 1.
type colours struct{ ground, line, words, roof, gate string }

func (s Style) colours() colours {
	if s == Dark {
		return colours{ground: "#26231f", line: "#6d675e", words: "#f5f2ec", roof: "#5cb8cc", gate: "#b9b2a7"}
	}
	return colours{ground: "#ffffff", line: "#8a8378", words: "#26231f", roof: "#1a7f96", gate: "#7d776e"}
}

// Button is a drawing of the Login button. A square one shows the mark alone.
type Button struct {
	Style         Style
	Width, Height int
}

// Buttons are all there are, the one to begin with first.
func Buttons() []Button {
	var all []Button
	for _, size := range [][2]int{{195, 46}, {156, 32}, {46, 46}, {32, 32}} {
		for _, style := range []Style{Light, Dark} {
			all = append(all, Button{style, size[0], size[1]})
		}
	}
	return all
}

// Name is as in the address.
func (b Button) Name() string { return fmt.Sprintf("%s-%dx%d", b.Style, b.Width, b.Height) }

// Path is the address on the server.
func (b Button) Path() string { return buttonPath + b.Name() + ".svg" }

// Words are what the button says, also to who cannot see it.
func (b Button) Words() string { return "Login" }

// Draw draws the button. Letters are given their width, since every computer has a
// font of its own.
func (b Button) Draw() []byte {
	c := b.Style.colours()
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="%[3]s"><title>%[3]s</title>`, b.Width, b.Height, b.Words())
	fmt.Fprintf(&s, `<rect x=".5" y=".5" width="%d" height="%d" rx="%d" fill="%s" stroke="%s"/>`, b.Width-1, b.Height-1, b.Height/6, c.ground, c.line)
	mark, letters := b.Height*5/8, 0
	if b.Width > b.Height {
		letters = b.Height * 11 / 8
	}
	gap := 0
	if letters > 0 {
		gap = b.Height / 4
	}
	left := float64(b.Width-mark-gap-letters) / 2
	fmt.Fprintf(&s, `<g transform="translate(%.2f %.2f) scale(%.4f)"><path fill="%s" d="M8 1 15 6H1Z"/><path fill="%s" d="M2 7h3v8H2zM11 7h3v8h-3zM7.2 7h1.6v8H7.2z"/></g>`,
		left, float64(b.Height-mark)/2, float64(mark)/16, c.roof, c.gate)
	if letters > 0 {
		size := float64(b.Height) * .5
		fmt.Fprintf(&s, `<text x="%.2f" y="%.2f" font-family="system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif" font-size="%.1f" font-weight="600" fill="%s" textLength="%d" lengthAdjust="spacingAndGlyphs">%s</text>`,
			left+float64(mark+gap), float64(b.Height)/2+size*.35, size, c.words, letters, b.Words())
	}
	s.WriteString(`</svg>`)
	return []byte(s.String())
}
