package web

// examples are the requests that the help pages explain, with this
// installation's own address. What differs from application to application is
// a variable, so that a line can be pasted as it stands.
type examples struct {
	Authorize, Exchange, Refresh, Profile, Check string
	Answer, ProfileAnswer, Refused, Env          string
	Page, Redirect, Answered                     string
}

func newExamples(issuer string) examples {
	return examples{
		Authorize: issuer + `/ap/oa
  ?client_id=amzn1.application-oa2-client.…
  &scope=profile%20postal_code
  &response_type=code
  &redirect_uri=https%3A%2F%2Flocalhost
  &state=a-value-of-your-own`,
		Exchange: `curl --user "$CLIENT_ID:$CLIENT_SECRET" \
  --data grant_type=authorization_code \
  --data-urlencode "code=$CODE" \
  --data-urlencode "redirect_uri=https://localhost" \
  ` + issuer + `/auth/o2/token`,
		Answer: `{
  "access_token": "Atza|…",
  "refresh_token": "Atzr|…",
  "token_type": "bearer",
  "expires_in": 3600
}`,
		Refresh: `curl --user "$CLIENT_ID:$CLIENT_SECRET" \
  --data grant_type=refresh_token \
  --data-urlencode "refresh_token=$REFRESH_TOKEN" \
  ` + issuer + `/auth/o2/token`,
		Profile: `curl --header "Authorization: Bearer $ACCESS_TOKEN" \
  ` + issuer + `/user/profile`,
		ProfileAnswer: `{
  "user_id": "amzn1.account.…",
  "name": "Ada Lovelace",
  "email": "ada@example.com",
  "postal_code": "10115"
}`,
		Check: `curl --get --data-urlencode "access_token=$ACCESS_TOKEN" \
  ` + issuer + `/auth/o2/tokeninfo`,
		Refused: `{
  "error": "invalid_grant",
  "error_description": "The request has an invalid grant parameter : code",
  "request_id": "00000000-0000-0000-0000-000000000000"
}`,
		Page: `<div id="amazon-root"></div>
<a href="#" id="LoginWithAmazon">
  <img src="` + issuer + `/sdk/button/light-195x46.svg" alt="Login" width="195" height="46">
</a>
<script>
  window.onGatelodgeLoginReady = () => {
    gatelodge.Login.setClientId("amzn1.application-oa2-client.…");
  };
  document.getElementById("LoginWithAmazon").addEventListener("click", (event) => {
    event.preventDefault();
    gatelodge.Login.authorize({ scope: "profile", pkce: true }, (answer) => {
      if (answer.error) return console.log(answer.error_description);
      gatelodge.Login.retrieveToken(answer.code, (token) => {
        gatelodge.Login.retrieveProfile(token.access_token, (got) => {
          console.log(got.success ? got.profile.Name : got.error_description);
        });
      });
    });
  });
</script>
<script async id="amazon-login-sdk" src="` + issuer + `/sdk/login.js"></script>`,
		Redirect: `gatelodge.Login.authorize(
  { scope: "profile", pkce: true, popup: false },
  "https://www.example.com/back");

// at https://www.example.com/back
const code = new URLSearchParams(location.search).get("code");
if (code) gatelodge.Login.retrieveToken(code, (token) => { /* … */ });`,
		Answered: `{
  "success": true,
  "profile": {
    "CustomerId": "amzn1.account.…",
    "Name": "Ada Lovelace",
    "PrimaryEmail": "ada@example.com",
    "PostalCode": "10115"
  }
}`,
		Env: `CLIENT_ID=amzn1.application-oa2-client.…
CLIENT_SECRET=amzn1.oa2-cs.v1.…`,
	}
}

// sampleConsent is the consent page as the help pages picture it.
func sampleConsent() Consent {
	return Consent{
		Name: "Video Report Downloader", Publisher: "Northlight Media", PrivacyURL: "https://downloader.example/privacy",
		Items: []ConsentItem{
			{Label: "Your name and email", Values: []string{"Ada Lovelace", "ada@example.com"}},
			{Label: "Your postal code", Values: []string{"10115"}},
		},
		Host: "downloader.example", Account: AccountBadge{Name: "Ada Lovelace", Email: "ada@example.com"}, Preview: true,
	}
}
