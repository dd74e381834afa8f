// Shows what Gatelodge tells of a client ID once one was entered, as Look up does.
// It stands beside the form, so that nothing moves under the pointer.
const form = document.querySelector("form[data-look]");
const field = form?.elements.client_id;
let asked = field?.value.trim();

async function look() {
  const id = field.value.trim();
  if (id === asked) return;
  asked = id;
  let page = null;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams({ client_id: id, look: "yes" }) });
    if (answer.ok) page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    // Add application asks again, and says what is wrong.
  }
  if (asked !== id) return;
  document.getElementById("facts").replaceChildren(...(page?.getElementById("facts")?.children ?? []));
  form.elements.seen.value = page?.querySelector("[name=seen]")?.value ?? "";
}

field?.addEventListener("change", look);
field?.addEventListener("paste", () => setTimeout(look));
