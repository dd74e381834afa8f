// Package web owns how Gatelodge answers browsers: the adapter around every
// handler, the layout, the components that pages are made of, the assets, the
// error pages, the record of each request in the log, and the home and help pages.
//
// # A request
//
// A surface registers its routes on a mux, each wrapped by one of the adapters:
//
//	mux.Handle("GET /console", kit.Browser(s.list))
//	mux.Handle("POST /console/profiles", kit.Browser(s.create, web.MaxBody(web.UploadBody)))
//	mux.Handle("POST /oauth2/token", kit.API(s.token))
//
// A [Handler] answers or returns an error, never both. An [*Error] becomes its
// page; a body over the limit 413; everything else the page "Internal Server
// error! Please try again", which after a POST gives back what was typed from
// nothing but the request. The adapter writes one record per request; a handler
// adds to it with [LogAttr].
//
// # A page
//
// A surface embeds its templates beside its code; each page is parsed when it is first
// rendered:
//
//	//go:embed *.html
//	var files embed.FS
//
//	pages, err := kit.Pages(files)            // also: extra template functions
//	err = pages.Need("list", "profile")       // the names that handlers render
//	return pages.Render(w, r, http.StatusOK, "list", web.Page{
//		Title: "Security profiles", Active: "console", Account: badge, Data: listPage{…},
//	})
//
// Each file is one page and defines "content", where the dot is Page.Data; files
// that begin with "_" hold pieces for all of them. What a page refers to and is
// not there — template, icon, option of a field — is an error of [Pages.Check], which a
// test of each surface calls.
//
// # A form
//
//	form, err := web.ParseForm(r)
//	if err != nil {
//		return err
//	}
//	if form.TakeSuggestion() {                // "Use this instead" was pressed
//		return s.show(w, r, http.StatusOK, form)
//	}
//	if form.Get("name") == "" {
//		form.Fail("name", "Enter a name.")
//	}
//	form.Suggest("privacy_url", "This is http; use https.", "https://…")
//	logo, ok, err := form.File(r, "logo", 1<<20) // kept when the form is shown again
//	if !form.OK() {
//		return s.show(w, r, http.StatusUnprocessableEntity, form)
//	}
//
// and in the template
//
//	<form method="post" class="form" novalidate>
//	{{formhead .Form}}
//	{{field .Form "name" "label" "Security Profile Name" "rule" "Up to 50 characters." "maxlength" 50 "preview" true}}
//	{{field .Form "password" "label" "Password" "type" "password" "autocomplete" "current-password"}}
//	{{filefield .Form "logo" "label" "Consent Logo Image" "rule" "PNG or JPEG, up to 1 MB." "accept" "image/png,image/jpeg" "maxbytes" 1048576 "optional" true}}
//	{{choice .Form "country" .Countries "label" "Country"}}
//	{{checkbox .Form "keep" "yes" "label" "Keep me signed in"}}
//	<div class="form-actions"><button class="btn primary">Save</button><a class="btn" href="/console">Cancel</a></div>
//	</form>
//
// formhead goes first in every form: it holds the summary of errors and the
// button that Enter presses, so that Enter never presses a suggestion or
// "Add another". Surfaces register the labels of their fields with Kit.Labels
// for the failure page.
//
// # Components
//
// Functions in templates draw the pieces that pages are made of:
//
//	{{icon "copy"}}                                      a stroke, always beside a text or a label
//	{{copyfield "client-id" "Client ID" .ClientID}}      label, boxed value, Copy
//	{{copyable "id" "Client ID" .ClientID}}              the same within a line
//	{{copyshort "Client ID" .ClientID}}                  with the middle cut out, for tables
//	{{codeblock "curl" "Exchange the code" .Command}}    pasted elsewhere, with Copy
//	{{secret .Secret}}                                   hidden until asked for: Secret
//	{{consent .Consent}}                                 the consent page, or its live preview: Consent
//	{{tabs .Tabs}} {{menu .Menu}} {{pager .Pager}} {{searchfield "q" "Search profiles" .Query}}
//	{{notice "warning" "Title" "Detail"}} {{flash .Flash}} {{badge "success" "New"}}
//	{{avatar .Name .LogoURL}} {{host .Host}} {{date .At}} {{datetime .At}} {{ago .At}} {{number .Count}}
//
// What has no function is a class: page-head, card, danger-zone, table (cards on
// a phone, each cell named by data-label), kv, empty, split, stack, cluster, btn
// with primary, danger, quiet, sm, lg, wide or icon-only. The policy of the pages
// allows neither style attributes nor inline scripts.
//
// # Without JavaScript
//
// Every page works without it. The modules in assets add what HTML cannot do and
// find their elements by data attributes: data-copy and data-copy-text (copy.js),
// data-reveal (reveal.js), data-max, data-check and data-suggest (validate.js),
// data-preview and data-preview-of (preview.js), data-rows (rows.js), data-menu
// (menu.js), data-autosubmit (autosubmit.js).
package web
