// Presses a page's only button, where a person has nothing to decide: going back to
// a form that is shown with what had been typed.
document.querySelector("form[data-autosubmit]").requestSubmit();
