package registry

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FieldError says what is wrong with one field of a form and what to write instead. Suggestion, when there is one, is
// a value that the same field accepts.
type FieldError struct{ Field, Message, Suggestion string }

// FieldErrors are a form's errors in the order of its fields; nil when all is well.
type FieldErrors []FieldError

// Of returns the first error of a field, or the zero FieldError.
func (e FieldErrors) Of(field string) FieldError {
	for _, fe := range e {
		if fe.Field == field {
			return fe
		}
	}
	return FieldError{}
}

// checkText holds the rules of every one-line text field, on a trimmed value: valid UTF-8, at most maxChars
// characters, and nothing that cannot be seen or that turns the text around it (such a name could pose as another on
// the consent page).
func checkText(s string, maxChars int) (message, suggestion string) {
	if !utf8.ValidString(s) {
		return "Write this again: some of its characters did not arrive as valid UTF-8.", ""
	}
	if strings.ContainsFunc(s, isHidden) {
		suggestion = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return isHidden(r) || r == ' ' }), " ")
		if utf8.RuneCountInString(suggestion) > maxChars {
			suggestion = ""
		}
		return "Write this on one line, without control characters such as tabs or line breaks.", suggestion
	}
	if n := utf8.RuneCountInString(s); n > maxChars {
		return fmt.Sprintf("Shorten this to %d characters; it has %d.", maxChars, n), ""
	}
	return "", ""
}

// isHidden reports control characters, line and paragraph separators, and the characters that change the direction of
// the text after them.
func isHidden(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// isReadable reports whether s has anything that a person would see.
func isReadable(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r)
	})
}
