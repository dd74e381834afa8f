package web

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"html/template"
	"maps"
	"net"
	"strings"
	"time"
	"unicode/utf8"
)

// component renders one of the built-in pieces.
func (t *templates) component(name string, data any) (template.HTML, error) {
	components, err := t.components()
	if err != nil {
		return "", err
	}
	var buf bytes.Buffer
	if err := components.ExecuteTemplate(&buf, name, data); err != nil {
		return "", err
	}
	return template.HTML(buf.String()), nil
}

// funcs are what templates of all surfaces may call.
func (k *Kit) funcs(t *templates) template.FuncMap {
	m := template.FuncMap{
		"asset":    k.assets.url,
		"icon":     icon,
		"product":  func() string { return k.product },
		"issuer":   func() string { return k.issuer },
		"initials": initials,
		"hue":      hue,
		"short":    short,
		"date":     date,
		"datetime": datetime,
		"ago":      func(at time.Time) template.HTML { return ago(at, k.now()) },
		"number":   number,
		"hostof":   hostof,
	}
	maps.Copy(m, k.fieldFuncs(t))
	maps.Copy(m, t.pieceFuncs())
	return m
}

// initials stand in for a logo or a portrait.
func initials(name string) string {
	words := strings.Fields(name)
	switch len(words) {
	case 0:
		return "?"
	case 1:
		r, _ := utf8.DecodeRuneInString(words[0])
		return strings.ToUpper(string(r))
	}
	a, _ := utf8.DecodeRuneInString(words[0])
	b, _ := utf8.DecodeRuneInString(words[1])
	return strings.ToUpper(string(a) + string(b))
}

// hue picks one of eight tints, always the same for the same name.
func hue(name string) string {
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("hue-%d", h.Sum32()%8)
}

// short cuts the middle out of a long identifier: its kind and its last
// characters are what people tell it by.
func short(id string) string {
	if len(id) <= 28 {
		return id
	}
	dot := strings.LastIndexByte(id, '.')
	if dot < 0 || len(id)-dot < 12 {
		return id[:14] + "…" + id[len(id)-6:]
	}
	return id[:dot+1] + id[dot+1:dot+5] + "…" + id[len(id)-4:]
}

func timeElement(at time.Time, text string) template.HTML {
	at = at.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s" title="%s">%s</time>`,
		at.Format(time.RFC3339), at.Format("2 January 2006, 15:04:05 UTC"), template.HTMLEscapeString(text)))
}

func date(at time.Time) template.HTML {
	if at.IsZero() {
		return "–"
	}
	return timeElement(at, at.UTC().Format("2 Jan 2006"))
}

func datetime(at time.Time) template.HTML {
	if at.IsZero() {
		return "–"
	}
	return timeElement(at, at.UTC().Format("2 Jan 2006, 15:04 UTC"))
}

// ago says how long something was before now; the zero time is "Never".
func ago(at, now time.Time) template.HTML {
	if at.IsZero() {
		return "Never"
	}
	d := now.Sub(at)
	switch {
	case d < 0:
		return timeElement(at, "in "+span(-d))
	case d < time.Minute:
		return timeElement(at, "just now")
	case d < 30*24*time.Hour:
		return timeElement(at, elapsed(d)+" ago")
	}
	return timeElement(at, at.UTC().Format("2 Jan 2006"))
}

// units are what durations are said in, the largest first.
var units = []struct {
	length time.Duration
	name   string
}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}}

// elapsed says a duration in its largest whole unit: 119 minutes are one hour.
func elapsed(d time.Duration) string {
	for _, u := range units {
		if d >= u.length {
			return count(int(d/u.length), u.name)
		}
	}
	return count(0, "second")
}

// span says how long to wait, rounded up: nobody who waits that long is turned
// away again.
func span(d time.Duration) string {
	for _, u := range units {
		if d >= u.length {
			return count(int((d+u.length-1)/u.length), u.name)
		}
	}
	return count(1, "second")
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// number groups digits by thousands.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// hostView is a host as a person should read it.
type hostView struct {
	Host  string
	Local bool // it is the reader's own computer
}

func hostof(host string) hostView {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return hostView{host, strings.EqualFold(name, "localhost") || (ip != nil && ip.IsLoopback())}
}
