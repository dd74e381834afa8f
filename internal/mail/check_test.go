package mail

import (
	"slices"
	"strings"
	"testing"
)

// TestCheck goes as far as the sender's name, and sends nothing.
func TestCheck(t *testing.T) {
	srv := &server{auth: "235 ok"}
	srv.start(t)
	s := newSMTP(t, "smtp://lodge:s3cret@"+srv.addr+"?from=no-reply@example.com")
	if err := s.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-srv.done
	verbs := make([]string, len(srv.lines))
	for i, line := range srv.lines {
		verbs[i], _, _ = strings.Cut(line, " ")
	}
	if want := []string{"EHLO", "AUTH", "MAIL", "RSET", "QUIT"}; !slices.Equal(verbs, want) {
		t.Errorf("the dialogue is %q, want %q", verbs, want)
	}
}

func TestCheckIsRefused(t *testing.T) {
	srv := &server{auth: "535 no {}"}
	srv.start(t)
	s := newSMTP(t, "smtp://lodge:s3cret@"+srv.addr+"?from=no-reply@example.com")
	err := s.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "535") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v, want the code and no secret", err)
	}
}
