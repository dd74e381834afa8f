package web

import (
	"fmt"
	"html/template"
)

// icons are strokes on a 16 by 16 grid, 1.5 wide, drawn for this product.
var icons = map[string]string{
	"add":      `<path d="M8 3v10M3 8h10"/>`,
	"alert":    `<path d="M8 2.2 14.3 13a.6.6 0 0 1-.5.9H2.2a.6.6 0 0 1-.5-.9Z"/><path d="M8 6.5v3M8 11.6v.1"/>`,
	"arrow":    `<path d="M3 8h10M9 4l4 4-4 4"/>`,
	"back":     `<path d="M13 8H3M7 4 3 8l4 4"/>`,
	"check":    `<path d="m3 8.5 3.2 3.2L13 4.8"/>`,
	"close":    `<path d="m4 4 8 8M12 4l-8 8"/>`,
	"copy":     `<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M10.5 2.5H4A1.5 1.5 0 0 0 2.5 4v6.5"/>`,
	"clock":    `<circle cx="8" cy="8" r="5.8"/><path d="M8 4.8V8l2.2 1.4"/>`,
	"down":     `<path d="m4 6 4 4 4-4"/>`,
	"download": `<path d="M8 2.5v7.5M4.8 7 8 10.2 11.2 7M2.8 13.2h10.4"/>`,
	"edit":     `<path d="m3 10.4-.5 3.1 3.1-.5 7.3-7.3a1.4 1.4 0 0 0 0-2l-.6-.6a1.4 1.4 0 0 0-2 0Z"/><path d="m9 4.4 2.6 2.6"/>`,
	"external": `<path d="M6.5 3.5H3.8A1.3 1.3 0 0 0 2.5 4.8v7.4a1.3 1.3 0 0 0 1.3 1.3h7.4a1.3 1.3 0 0 0 1.3-1.3V9.5M9.5 2.5h4v4M13.2 2.8 7.5 8.5"/>`,
	"eye":      `<path d="M1.5 8S3.8 3.5 8 3.5 14.5 8 14.5 8 12.2 12.5 8 12.5 1.5 8 1.5 8Z"/><circle cx="8" cy="8" r="2"/>`,
	"gear":     `<circle cx="8" cy="8" r="2.1"/><path d="M8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4"/>`,
	"globe":    `<circle cx="8" cy="8" r="5.8"/><path d="M2.2 8h11.6M8 2.2c1.7 1.6 2.5 3.5 2.5 5.8S9.7 12.2 8 13.8C6.3 12.2 5.5 10.3 5.5 8S6.3 3.8 8 2.2Z"/>`,
	"home":     `<path d="m2.5 7.2 5.5-4.7 5.5 4.7v5.6a.7.7 0 0 1-.7.7H3.2a.7.7 0 0 1-.7-.7Z"/>`,
	"info":     `<circle cx="8" cy="8" r="5.8"/><path d="M8 7.3v3.5M8 5.1v.1"/>`,
	"key":      `<circle cx="5.3" cy="10.7" r="2.8"/><path d="m7.3 8.7 6-6M10.5 5.5l2 2"/>`,
	"list":     `<path d="M5.5 4h8M5.5 8h8M5.5 12h8M2.6 4v.1M2.6 8v.1M2.6 12v.1"/>`,
	"lock":     `<rect x="3" y="7" width="10" height="6.5" rx="1.3"/><path d="M5.2 7V5.3a2.8 2.8 0 0 1 5.6 0V7"/>`,
	"mail":     `<rect x="2" y="3.5" width="12" height="9" rx="1.3"/><path d="m2.5 4.5 5.5 4 5.5-4"/>`,
	"retry":    `<path d="M13 8a5 5 0 1 1-1.6-3.7L13 5.8M13 2.5v3.3H9.7"/>`,
	"search":   `<circle cx="7" cy="7" r="4.3"/><path d="m10.2 10.2 3.3 3.3"/>`,
	"shield":   `<path d="M8 1.9 13 3.7v3.8c0 3-2 5.3-5 6.6-3-1.3-5-3.6-5-6.6V3.7Z"/><path d="m5.8 7.8 1.6 1.6 2.9-3"/>`,
	"trash":    `<path d="M2.8 4.3h10.4M6 4.2V2.8h4v1.4M4.2 4.5l.6 8.2c0 .4.4.800.9.800h4.6c.5 0 .9-.4.9-.8l.6-8.2M6.8 7v3.8M9.2 7v3.8"/>`,
	"upload":   `<path d="M8 10.5V3M4.8 6 8 2.8 11.2 6M2.8 13.2h10.4"/>`,
	"user":     `<circle cx="8" cy="5.3" r="2.8"/><path d="M2.8 13.5c.6-2.6 2.6-4 5.2-4s4.6 1.4 5.2 4"/>`,
}

// icon draws one of the icons. It never stands alone: a text or a label beside
// it says the same, so it is hidden from screen readers.
func icon(name string) (template.HTML, error) {
	shape, ok := icons[name]
	if !ok {
		return "", fmt.Errorf("no icon %q", name)
	}
	return template.HTML(`<svg class="icon" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" ` +
		`stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">` + shape + `</svg>`), nil
}
