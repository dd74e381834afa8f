package sim_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"gatelodge/internal/sim"
)

// TestDeviceLibrary: golang.org/x/oauth2 does the whole device grant by itself, on the
// paths of both dialects, and refreshes without a secret.
func TestDeviceLibrary(t *testing.T) {
	for name, answer := range map[string]string{"Allow": "", "Cancel": "access_denied"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := sim.New(t)
				device, user := w.NewApplication().NewDevice(), w.SignUp("Ada Lovelace")
				for _, token := range []string{"/oauth2/token", "/auth/o2/token"} {
					config := oauth2.Config{ClientID: device.ID, Scopes: []string{"profile"}, Endpoint: oauth2.Endpoint{
						DeviceAuthURL: w.Issuer + "/oauth2/device_authorization", TokenURL: w.Issuer + token, AuthStyle: oauth2.AuthStyleInParams,
					}}
					ctx := context.WithValue(t.Context(), oauth2.HTTPClient, w.Client())
					start, err := config.DeviceAuth(ctx)
					if err != nil {
						t.Fatal(err)
					}
					if start.Interval != 5 || time.Until(start.Expiry) != 10*time.Minute || start.VerificationURIComplete == "" {
						t.Errorf("%+v", start)
					}
					go func() {
						time.Sleep(time.Minute)
						user.Open(start.VerificationURIComplete).Press("Continue").Press(name)
					}()
					got, err := config.DeviceAccessToken(ctx, start)
					if answer != "" {
						if e, ok := errors.AsType[*oauth2.RetrieveError](err); !ok || e.ErrorCode != answer {
							t.Errorf("%v, %v", got, err)
						}
						continue
					}
					if err != nil || got.RefreshToken == "" || !strings.HasPrefix(got.AccessToken, "gl_at_") {
						t.Fatalf("%+v, %v", got, err)
					}
					time.Sleep(2 * time.Hour) // the access token is over
					again, err := config.TokenSource(ctx, got).Token()
					if err != nil || again.AccessToken == got.AccessToken || again.RefreshToken != got.RefreshToken {
						t.Errorf("refresh: %+v, %v", again, err)
					}
				}
			})
		})
	}
}
