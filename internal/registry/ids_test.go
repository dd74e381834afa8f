package registry

import (
	"regexp"
	"strings"
	"testing"
)

const (
	clientID      = "amzn1.application-oa2-client.000102030405060708090a0b0c0d0e0f"
	applicationID = "amzn1.application.000102030405060708090a0b0c0d0e0f"
)

var countingKey = [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

func TestParseNamespace(t *testing.T) {
	for _, good := range []string{"a", "7", "amzn1", "abcdefghijklmnop"} {
		if ns, err := ParseNamespace(good); err != nil || string(ns) != good {
			t.Errorf("ParseNamespace(%q) = %q, %v", good, ns, err)
		}
	}
	for _, bad := range []string{"", "Amzn1", "amzn.1", "a-b", "é", " a", "a\n", "abcdefghijklmnopq"} {
		if ns, err := ParseNamespace(bad); err == nil {
			t.Errorf("ParseNamespace(%q) = %q, want an error", bad, ns)
		}
	}
}

func TestClientID(t *testing.T) {
	if got := Namespace("amzn1").ClientID(ClientKey(countingKey)); got != clientID {
		t.Errorf("ClientID = %q, want %q", got, clientID)
	}
	if key, err := Namespace("amzn1").ParseClientID(clientID); err != nil || key != ClientKey(countingKey) {
		t.Errorf("ParseClientID = %x, %v", key, err)
	}
	if a, b := NewClientKey(), NewClientKey(); a == b || a == (ClientKey{}) {
		t.Errorf("two new keys: %x, %x", a, b)
	}
}

func TestApplicationID(t *testing.T) {
	if got := Namespace("amzn1").ApplicationID(ApplicationKey(countingKey)); got != applicationID {
		t.Errorf("ApplicationID = %q, want %q", got, applicationID)
	}
	if key, err := Namespace("amzn1").ParseApplicationID(applicationID); err != nil || key != ApplicationKey(countingKey) {
		t.Errorf("ParseApplicationID = %x, %v", key, err)
	}
	if _, err := Namespace("amzn1").ParseApplicationID(clientID); err == nil {
		t.Error("a client ID passes for an application ID")
	}
	if a, b := NewApplicationKey(), NewApplicationKey(); a == b || a == (ApplicationKey{}) {
		t.Errorf("two new keys: %x, %x", a, b)
	}
}

func TestApplicationKey(t *testing.T) {
	const text = "000102030405060708090a0b0c0d0e0f"
	if got, err := ParseApplicationKey(text); err != nil || got != ApplicationKey(countingKey) || got.String() != text {
		t.Errorf("ParseApplicationKey = %s, %v", got, err)
	}
	for _, bad := range []string{"", text[1:], text + "0", "000102030405060708090A0B0C0D0E0F", "../" + text[3:]} {
		if got, err := ParseApplicationKey(bad); err == nil {
			t.Errorf("ParseApplicationKey(%q) = %s, want an error", bad, got)
		}
	}
}

func TestParseClientIDRefusesAndDescribes(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"empty":                 {"", "missing"},
		"white space":           {clientID + "\n", "white space"},
		"upper case":            {strings.ToUpper(clientID), "upper-case"},
		"upper case digits":     {"amzn1.application-oa2-client.000102030405060708090A0B0C0D0E0F", "upper-case"},
		"application ID":        {applicationID, "That is an application ID;"},
		"spaced app ID":         {" " + applicationID, "That is an application ID;"},
		"odd namespace":         {"AMZN-1.application-oa2-client.000102030405060708090a0b0c0d0e0f", "That is not a client ID"},
		"solution ID":           {"amzn1.sp.solution.0b0c0d0e-0000-4000-8000-000000000000", "That is a solution ID;"},
		"user ID":               {"amzn1.account.ABCDEFGHIJKLMNOPQRSTUVWXYZ23", "That is a user ID;"},
		"secret":                {"amzn1.oa2-cs.v1." + strings.Repeat("5e", 32), "That is a client secret"},
		"old-style secret":      {strings.Repeat("5e", 32), "client secret of the old style"},
		"access token":          {"Atza|IwEBIA", "That is a token;"},
		"standard token":        {"gl_rt_IwEBIA", "That is a token;"},
		"last part alone":       {"000102030405060708090a0b0c0d0e0f", "only the last part"},
		"other namespace":       {"other.application-oa2-client.000102030405060708090a0b0c0d0e0f", "another system: it begins with other,"},
		"other namespace's app": {"other.application.000102030405060708090a0b0c0d0e0f", "That is an application ID;"},
		"cut short":             {clientID[:len(clientID)-3], "cut short: 29 of"},
		"too long":              {clientID + "0", "too long"},
		"not hexadecimal":       {clientID[:len(clientID)-1] + "g", "not a hexadecimal digit"},
		"something else":        {"<script>", "That is not a client ID"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			key, err := Namespace("amzn1").ParseClientID(tt.in)
			if err == nil || key != (ClientKey{}) {
				t.Fatalf("ParseClientID(%q) = %x, %v, want an error", tt.in, key, err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseClientID(%q): %q, want %q in it", tt.in, err, tt.want)
			}
			if got := Namespace("amzn1").DescribeClientID(tt.in); got != err.Error() {
				t.Errorf("DescribeClientID(%q) = %q, want the error's text %q", tt.in, got, err)
			}
		})
	}
	if got := Namespace("amzn1").DescribeClientID(clientID); got != "" {
		t.Errorf("DescribeClientID of a client ID = %q", got)
	}
}

func TestUserID(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	// Computed with another program: these are stored by applications for ever and must not change.
	const want = "amzn1.account.LW4UTMHBPOOMTU22SYXKGATKG2DA"
	got := NewUserIDs("amzn1", key).Of(7, 42)
	if got != want {
		t.Errorf("UserID = %q, want %q", got, want)
	}
	if !regexp.MustCompile(`^amzn1\.account\.[A-Z2-7]{28}$`).MatchString(got) {
		t.Errorf("UserID = %q: not the contract's shape", got)
	}
	for name, other := range map[string]string{
		"another developer": NewUserIDs("amzn1", key).Of(8, 42),
		"another person":    NewUserIDs("amzn1", key).Of(7, 43),
		"the two exchanged": NewUserIDs("amzn1", key).Of(42, 7),
		"another key":       NewUserIDs("amzn1", key[1:]).Of(7, 42),
	} {
		if other == got {
			t.Errorf("%s: the same user ID %q", name, got)
		}
	}
}

func FuzzParseClientID(f *testing.F) {
	f.Add("amzn1", clientID)
	f.Add("amzn1", applicationID)
	f.Add("a", "a.application-oa2-client.")
	f.Add("a", "a.oa2-cs.v1."+strings.Repeat("0", 64))
	f.Fuzz(func(t *testing.T, space, s string) {
		ns, err := ParseNamespace(space)
		if err != nil {
			t.Skip()
		}
		key, err := ns.ParseClientID(s)
		if (err == nil) != (ns.DescribeClientID(s) == "") {
			t.Errorf("ParseClientID(%q): %v, but it is described as %q", s, err, ns.DescribeClientID(s))
		}
		if err == nil && ns.ClientID(key) != s {
			t.Errorf("%q is accepted as another spelling of %q", s, ns.ClientID(key))
		}
		if len(s) >= 64 && err != nil && strings.Contains(err.Error(), s) {
			t.Errorf("the error repeats what was sent: %q", err)
		}
	})
}
