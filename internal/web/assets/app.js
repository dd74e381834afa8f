// Loads what the page at hand needs. Every page works without any of it.
const modules = {
  "[data-copy], [data-copy-text]": "./copy.js",
  "[data-reveal]": "./reveal.js",
  "[data-max], [data-check], [data-max-bytes], [data-suggest], .summary": "./validate.js",
  "[data-preview]": "./preview.js",
  "[data-rows]": "./rows.js",
  "[data-menu]": "./menu.js",
  "form[data-autosubmit]": "./autosubmit.js",
  "[data-relay]": "./relay.js",
};

for (const [selector, module] of Object.entries(modules)) {
  if (document.querySelector(selector)) import(module);
}
