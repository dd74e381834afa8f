package signin

import (
	"net/http"

	"gatelodge/internal/session"
	"gatelodge/internal/web"
)

const (
	signUpPath       = "/sign-up"
	signOutPath      = "/sign-out"
	recoverPath      = "/recover"
	confirmPath      = "/confirm-email"
	accountPath      = "/account"
	emailPath        = "/account/email"
	passwordPath     = "/account/password"
	sessionsPath     = "/account/sessions"
	confirmationPath = "/account/confirmation"
	deletePath       = "/account/delete"
	applicationsPath = "/account/applications"
	consolePath      = "/console"
)

// Routes registers every route of the surface.
func (s *Surface) Routes(mux *http.ServeMux) {
	handle := func(pattern string, h web.Handler, opts ...web.Option) {
		mux.Handle(pattern, s.Kit.Browser(h, opts...))
	}
	signedIn := func(pattern string, h session.Handler) { handle(pattern, s.Sessions.Require(h)) }

	// What was typed before the session ran out may hold a picture.
	handle("GET "+session.SignInPath, s.signInForm)
	handle("POST "+session.SignInPath, s.signIn, web.MaxBody(web.UploadBody))
	handle("GET "+signOutPath, s.signOutForm)
	handle("POST "+signOutPath, s.signOut)

	if s.Regions != nil {
		handle("GET "+withPath+"/{region}", s.withForm)
		handle("POST "+withPath+"/{region}", s.beginWith, web.MaxBody(web.UploadBody))
		handle("GET "+returnPath, s.fromRegion)
		handle("GET "+joinPath, s.toSignIn)
		handle("POST "+joinPath, s.join)
		mux.Handle("POST "+endedPath, s.Kit.API(s.endedAtHome))
	}

	handle("GET "+signUpPath, s.signUpForm)
	handle("POST "+signUpPath, s.signUp)
	signedIn("GET "+confirmPath, s.confirmEmailForm)
	signedIn("POST "+confirmPath, s.confirmEmail)

	handle("GET "+recoverPath, s.recoveryForm)
	handle("POST "+recoverPath, s.askRecovery)
	handle("GET "+recoverPath+"/{token}", s.newPasswordForm)
	handle("POST "+recoverPath+"/{token}", s.newPassword)

	signedIn("GET "+accountPath, s.account)
	handle("POST "+accountPath, s.Sessions.RequireForm(s.saveDetails, s.showDetails))
	email := func(h session.Handler) session.Handler {
		return s.keptHere("Change your e-mail address", "Your e-mail address", h)
	}
	signedIn("GET "+emailPath, email(s.emailForm))
	handle("POST "+emailPath, s.Sessions.RequireForm(email(s.changeEmail), s.showTypedEmail))
	password := func(h session.Handler) session.Handler { return s.keptHere("Change your password", "Your password", h) }
	signedIn("GET "+passwordPath, password(s.passwordForm))
	signedIn("POST "+passwordPath, password(s.changePassword))
	signedIn("GET "+deletePath, s.deleteForm)
	signedIn("POST "+deletePath, s.deleteAccount)

	// The next two show nothing of their own: who had to sign in first comes back by GET.
	signedIn("GET "+sessionsPath, s.toAccount)
	signedIn("POST "+sessionsPath, s.endSessions)
	signedIn("GET "+confirmationPath, s.toAccount)
	signedIn("POST "+confirmationPath, s.sendConfirmation)

	signedIn("GET "+applicationsPath, s.applications)
	signedIn("POST "+applicationsPath, s.removeApplication)
}
