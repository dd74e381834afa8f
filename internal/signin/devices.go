package signin

import "strings"

// sign is what a user agent calls itself by, and what people call it.
type sign struct{ text, name string }

// The order matters: most browsers claim to be those further down as well.
var (
	browsers = []sign{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Vivaldi/", "Vivaldi"},
		{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
		{"curl/", "curl"}, {"Go-http-client", "A program"}, {"python-requests", "A program"},
	}
	systems = []sign{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Macintosh", "Mac"}, {"Linux", "Linux"},
	}
)

// deviceInWords says what a user agent header means, such as "Firefox on Windows".
// It is what the browser said of itself and proves nothing.
func deviceInWords(userAgent string) string {
	find := func(signs []sign) string {
		for _, s := range signs {
			if strings.Contains(userAgent, s.text) {
				return s.name
			}
		}
		return ""
	}
	browser, system := find(browsers), find(systems)
	switch {
	case browser != "" && system != "":
		return browser + " on " + system
	case browser+system != "":
		return browser + system
	}
	return "Unknown device"
}
