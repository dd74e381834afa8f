package console

import (
	"net/http"

	"gatelodge/internal/web"
)

const (
	listPath     = "/console"
	registerPath = "/console/register"
	newPath      = "/console/profiles/new"

	scopesPath   = "/console/operator/scopes"
	newScopePath = scopesPath + "/new"
)

type route struct {
	pattern string
	handler http.Handler
}

// Routes registers every address of the console.
func (s *Surface) Routes(mux *http.ServeMux) {
	for _, rt := range s.routes() {
		mux.Handle(rt.pattern, rt.handler)
	}
}

func (s *Surface) routes() []route {
	const profile = "/console/profiles/{id}"
	const secret = profile + "/secrets/{secret}"
	const scope = scopesPath + "/{number}"
	toSettings := s.page(s.toWebSettings)
	return []route{
		{"GET " + listPath, s.page(s.list)},

		{"GET " + registerPath, s.Kit.Browser(s.Sessions.Require(s.showRegister))},
		{"POST " + registerPath, s.Kit.Browser(s.Sessions.RequireForm(s.register, s.showRegisterTyped))},

		{"GET " + newPath, s.page(s.showNew)},
		{"POST " + newPath, s.form(s.create, s.showNewTyped, web.MaxBody(web.UploadBody))},

		{"GET " + profile, s.page(s.showGeneral)},
		{"POST " + profile, s.form(s.saveGeneral, s.showGeneralTyped, web.MaxBody(web.UploadBody))},
		{"GET " + profile + "/delete", s.page(s.toGeneral)},
		{"POST " + profile + "/delete", s.page(s.deleteProfile)},

		{"GET " + profile + "/web-settings", s.page(s.showWebSettings)},
		{"POST " + profile + "/web-settings", s.form(s.saveWebSettings, s.showWebSettingsTyped)},
		{"GET " + profile + "/code", toSettings},
		{"POST " + profile + "/code", s.page(s.pastedCode)},

		// Addresses that only take a POST lead to the page with their button, where
		// somebody lands who had to sign in first.
		{"GET " + profile + "/secrets", toSettings},
		{"POST " + profile + "/secrets", s.page(s.addSecret)},
		{"GET " + secret + "/show", toSettings},
		{"POST " + secret + "/show", s.page(s.showSecret)},
		{"GET " + secret + "/download", toSettings},
		{"POST " + secret + "/download", s.page(s.download)},
		{"GET " + secret + "/end", s.page(s.showEndSecret)},
		{"POST " + secret + "/end", s.page(s.endSecret)},

		{"GET " + profile + "/devices", s.page(s.showDevices)},
		{"POST " + profile + "/devices", s.form(s.addDevice, s.showDevicesTyped)},
		{"GET " + profile + "/devices/{device}/remove", s.page(s.showRemoveDevice)},
		{"POST " + profile + "/devices/{device}/remove", s.page(s.removeDevice)},

		{"GET " + profile + "/settings", s.page(s.showSettings)},
		{"POST " + profile + "/settings", s.form(s.saveSettings, s.showSettingsTyped)},

		{"GET " + profile + "/scopes", s.page(s.showProfileScopes)},
		{"GET " + profile + "/login-button", s.page(s.loginButton)},
		{"GET " + profile + "/run", s.page(s.showRun)},
		{"POST " + profile + "/run", s.form(s.startRun, s.showRunTyped)},
		{"GET " + profile + "/run/return", s.Kit.Browser(s.Sessions.Require(s.runReturn))},
		{"POST " + profile + "/run/return", s.page(s.stepRun)},

		{"GET " + profile + "/activity", s.page(s.activity)},

		{"GET " + scopesPath, s.operatorPage(s.listScopes)},
		{"GET " + newScopePath, s.operatorPage(s.showNewScope)},
		{"POST " + newScopePath, s.operatorForm(s.createScope, s.showNewScopeTyped)},
		{"GET " + scope, s.operatorPage(s.showScope)},
		{"POST " + scope, s.operatorForm(s.saveScope, s.showScopeTyped)},
		{"GET " + scope + "/profiles", s.operatorPage(s.toScope)},
		{"POST " + scope + "/profiles", s.operatorPage(s.changeHolders)},
		{"GET " + scope + "/retire", s.operatorPage(s.toScope)},
		{"POST " + scope + "/retire", s.operatorPage(s.retireScope)},

		{"GET /logos/{file}", s.Kit.Browser(s.logo)},
	}
}
