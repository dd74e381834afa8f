package account

import (
	"fmt"
	"net/mail"
	"strings"
)

// EmailMax is the longest e-mail address in characters: RFC 5321 section 4.5.3.1.3,
// less the angle brackets.
const EmailMax = 254

const (
	localPartMax = 64 // RFC 5321 section 4.5.3.1.1
	labelMax     = 63 // RFC 1035 section 2.3.4
)

// ParseEmail reads an e-mail address as a person types it and returns it with the
// spaces around it removed and its domain in lower case.
//
// Only the plain form is an address here: a dot-atom (RFC 5321 section 4.1.2) of
// ASCII characters at a domain name. Quoted local parts, comments, address literals
// and display names are other spellings of an address, or hide one; letters outside
// ASCII have look-alikes and fold to ASCII (the Kelvin sign to k), which is how one
// account is taken for another. A domain with such letters can be given in its ASCII
// form (xn--…), which mail is sent to anyway.
func ParseEmail(s string) (string, error) {
	s = strings.TrimSpace(s)
	email, problem := readEmail(s)
	if problem != "" {
		return "", &FieldError{Field: FieldEmail, Message: problem, Suggestion: suggestEmail(s)}
	}
	return email, nil
}

// readEmail reads a trimmed address, or says what is wrong with it.
func readEmail(s string) (email, problem string) {
	if s == "" {
		return "", "Enter your e-mail address, such as ann@example.com."
	}
	if len(s) > EmailMax {
		return "", fmt.Sprintf("Enter an e-mail address of at most %d characters.", EmailMax)
	}
	if strings.ContainsAny(s, " \t,;<>") {
		return "", "Enter one e-mail address alone, without spaces, a name or angle brackets."
	}
	local, domain, ok := strings.Cut(s, "@")
	domain = asciiLower(domain)
	switch {
	case !ok:
		return "", "Enter the whole e-mail address, with the @ and what follows it, such as ann@example.com."
	case strings.Contains(domain, "@"):
		return "", "Enter an e-mail address with only one @, such as ann@example.com."
	case local == "":
		return "", "Enter what stands before the @ too, such as ann@example.com."
	case len(local) > localPartMax:
		return "", fmt.Sprintf("Enter an e-mail address with at most %d characters before the @.", localPartMax)
	case !isDotAtom(local):
		return "", "Before the @, use letters (a–z), digits and signs such as . _ + - only, with no dot at either end and no two dots in a row."
	case !isMailDomain(domain):
		return "", "After the @, enter the name of the mail domain, such as example.com. Write a domain with other letters than a–z in its xn-- form."
	}
	return local + "@" + domain, ""
}

// EmailKey is what tells accounts apart: two addresses with the same key are one
// account. It lowers ASCII letters only, so that whatever else a stranger sends is
// equal to nothing but itself; it neither drops dots nor what follows a plus, since
// the mailboxes may be different people's.
func EmailKey(email string) string { return asciiLower(strings.TrimSpace(email)) }

// suggestEmail finds the address within what was typed, if there is one.
func suggestEmail(s string) string {
	if len(s) > 2*EmailMax {
		return ""
	}
	candidate := strings.TrimRight(strings.TrimPrefix(s, "mailto:"), ".,; ")
	if parsed, err := mail.ParseAddress(candidate); err == nil {
		candidate = parsed.Address
	}
	email, problem := readEmail(strings.TrimSpace(candidate))
	if problem != "" {
		return ""
	}
	return email
}

// isDotAtom tells whether s is a dot-atom of RFC 5322 section 3.2.3.
func isDotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" {
			return false
		}
		for _, c := range []byte(atom) {
			if !isAlphanumeric(c) && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", rune(c)) {
				return false
			}
		}
	}
	return true
}

// isMailDomain tells whether s is a domain name in the preferred syntax (RFC 1123
// section 2.1) that can have mailboxes: of two labels at least, or localhost, which
// a developer may use.
func isMailDomain(s string) bool {
	if s == "localhost" {
		return true
	}
	labels := strings.Split(s, ".")
	if len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > labelMax || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !isAlphanumeric(c) && c != '-' {
				return false
			}
		}
	}
	// No top-level domain begins with a digit; an IP address would.
	top := labels[len(labels)-1]
	return top[0] < '0' || top[0] > '9'
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// asciiLower lowers the ASCII letters. strings.ToLower would not do: it makes k of
// the Kelvin sign.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
