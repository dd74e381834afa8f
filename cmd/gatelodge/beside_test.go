package main

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestChangesAreInEffect: when a command has returned, every server goes by it.
func TestChangesAreInEffect(t *testing.T) {
	eachDatabase(t, func(t *testing.T, in *installation) {
		const user = "ada@example.com"
		servers := in.replicated(t)
		in.developer(t, user)
		c := in.client(t, user)
		refresh := in.refreshToken(t, c, user)
		var access []string
		for _, s := range servers {
			a := s.refresh(t, c, refresh)
			if a.status != http.StatusOK || a.text("refresh_token") != refresh {
				t.Fatalf("a refresh token that a command printed: %d %s", a.status, a.body)
			}
			access = append(access, a.text("access_token"))
		}
		good := answer{status: http.StatusOK}
		for _, step := range []struct {
			command []string
			refresh answer // status, and in body the error
			profile answer
		}{
			{[]string{"profile", "suspend", c.id},
				answer{status: http.StatusBadRequest, body: "unauthorized_client"}, answer{status: http.StatusBadRequest, body: "invalid_token"}},
			{[]string{"profile", "suspend", c.id, "--resume"}, good, good},
			{[]string{"user", "disable", "--email", user},
				answer{status: http.StatusBadRequest, body: "invalid_grant"}, answer{status: http.StatusBadRequest, body: "invalid_token"}},
			{[]string{"user", "disable", "--email", user, "--enable"}, good, good},
			{[]string{"profile", "delete", c.id},
				answer{status: http.StatusUnauthorized, body: "invalid_client"}, answer{status: http.StatusBadRequest, body: "invalid_token"}},
		} {
			in.run(t, "", step.command...)
			for i, s := range servers {
				if a := s.refresh(t, c, refresh); a.status != step.refresh.status || a.text("error") != step.refresh.body {
					t.Errorf("after %q, server %d answers a refresh with %d %s, want %d %s", step.command, i, a.status, a.body, step.refresh.status, step.refresh.body)
				}
				// Tokens are good on every server, so each is asked for another's.
				if a := s.profile(t, access[len(access)-1-i]); a.status != step.profile.status || a.text("error") != step.profile.body {
					t.Errorf("after %q, server %d answers an access token with %d %s, want %d %s", step.command, i, a.status, a.body, step.profile.status, step.profile.body)
				}
			}
		}
	})
}

// replicated starts the servers, which share an issuer when there are several.
func (in *installation) replicated(t *testing.T) []*process {
	t.Helper()
	if in.replicas == 1 {
		return []*process{in.serve(t)}
	}
	var servers []*process
	for range in.replicas {
		servers = append(servers, in.serve(t, "--issuer", "http://localhost:8080"))
	}
	return servers
}

// TestKeyRotation: servers go on working while keys are rotated, use the new keys,
// and take what was made with the old.
func TestKeyRotation(t *testing.T) {
	eachDatabase(t, func(t *testing.T, in *installation) {
		const user = "ada@example.com"
		servers := in.replicated(t)
		in.developer(t, user)
		c := in.client(t, user)
		refresh := in.refreshToken(t, c, user)
		var old []string
		check := func(key byte) {
			t.Helper()
			for i, s := range servers {
				a := s.refresh(t, c, refresh)
				token := a.text("access_token")
				if a.status != http.StatusOK || a.text("refresh_token") != refresh {
					t.Fatalf("server %d answers the refresh token with %d %s", i, a.status, a.body)
				}
				if got := sealingKey(t, token); got != key {
					t.Errorf("server %d seals with key %d, want %d", i, got, key)
				}
				old = append(old, token)
			}
			for i, s := range servers {
				for n, token := range old {
					if a := s.profile(t, token); a.status != http.StatusOK {
						t.Errorf("server %d answers access token %d with %d %s", i, n, a.status, a.body)
					}
				}
			}
		}
		check(1)
		in.run(t, "", "key", "rotate", "--kind", "sealing")
		check(2)
		in.run(t, "", "key", "rotate", "--kind", "encryption")
		check(2)
		// The next sealing key is encrypted with the new key-encryption key, so only a
		// server that has read the key file again can use it.
		in.run(t, "", "key", "rotate", "--kind", "sealing")
		check(3)
		for i, s := range servers {
			for line := range strings.Lines(s.log.String()) {
				if !strings.Contains(line, `"level":"INFO"`) {
					t.Errorf("server %d logged %s", i, line)
				}
			}
		}
	})
}

// sealingKey is the number of the key that sealed a token: its second byte.
func sealingKey(t *testing.T, token string) byte {
	t.Helper()
	sealed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, "Atza|"))
	if err != nil || len(sealed) < 2 {
		t.Fatalf("token %q: %v", token, err)
	}
	return sealed[1]
}

// TestRecoveryLink: the link leads to the server that runs on the database.
func TestRecoveryLink(t *testing.T) {
	t.Parallel()
	in := &installation{flags: []string{"--data", t.TempDir()}}
	in.developer(t, "ada@example.com")
	s := in.serve(t)
	link := in.run(t, "", "user", "recover", "--email", "ada@example.com")["link"].(string)
	if !strings.HasPrefix(link, s.issuer+"/") {
		t.Errorf("the link is %s, the issuer %s", link, s.issuer)
	}
	if a := do(t, http.DefaultClient, newRequest(t, http.MethodGet, link, nil)); a.status != http.StatusOK || !strings.Contains(a.body, "Choose a new password") {
		t.Errorf("the link answers %d %s", a.status, a.body)
	}
}

// TestCopiedKeyFile: where servers have copies of the key file, one whose copy is
// old goes on, says that it is not ready, and recovers when it gets the new file.
func TestCopiedKeyFile(t *testing.T) {
	t.Parallel()
	const user = "ada@example.com"
	data := t.TempDir()
	in := &installation{flags: []string{"--data", data}}
	in.developer(t, user)
	c := in.client(t, user)
	refresh := in.refreshToken(t, c, user)
	original, copied := filepath.Join(data, "key-encryption-keys"), filepath.Join(t.TempDir(), "keys")
	copyKeys := func() {
		t.Helper()
		text, err := os.ReadFile(original)
		if err == nil {
			err = os.WriteFile(copied, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	copyKeys()
	s := in.serve(t, "--issuer", "http://localhost:8080", "--key-file", copied)
	check := func(when string, ready int) {
		t.Helper()
		var got answer
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline) && got.status != ready; time.Sleep(50 * time.Millisecond) {
			got = do(t, http.DefaultClient, newRequest(t, http.MethodGet, s.metrics+"/readyz", nil))
		}
		if got.status != ready {
			t.Errorf("%s, /readyz answers %d %s, want %d", when, got.status, got.body, ready)
		}
		if a := s.refresh(t, c, refresh); a.status != http.StatusOK {
			t.Errorf("%s, a refresh gets %d %s", when, a.status, a.body)
		}
	}
	check("before", http.StatusOK)
	in.run(t, "", "key", "rotate", "--kind", "encryption")
	check("with the old file", http.StatusServiceUnavailable)
	copyKeys()
	check("with the new file", http.StatusOK)
}
