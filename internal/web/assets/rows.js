// "Add another" clones the list's template; rows can be taken out again. The
// numbers in the names only have to differ: the server skips empty rows.
for (const list of document.querySelectorAll("[data-rows]")) {
  const template = list.querySelector("template[data-row-template]");
  const add = list.querySelector("[data-add-row]");
  if (!template || !add) continue;
  const rows = () => list.querySelectorAll("[data-row]");
  const limit = Number(add.dataset.rowLimit) || 50;
  let next = rows().length;

  const limited = () => { add.disabled = rows().length >= limit; };

  add.addEventListener("click", (event) => {
    event.preventDefault();
    const row = template.content.cloneNode(true);
    for (const element of row.querySelectorAll("*")) {
      for (const attribute of element.attributes) {
        if (attribute.value.includes("__N__")) attribute.value = attribute.value.replaceAll("__N__", next);
      }
    }
    next++;
    const input = row.querySelector("input, textarea");
    template.before(row);
    input?.focus();
    limited();
  });

  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-remove-row]");
    if (!button) return;
    event.preventDefault();
    const row = button.closest("[data-row]");
    if (rows().length > 1) {
      const neighbour = row.nextElementSibling?.matches("[data-row]") ? row.nextElementSibling : row.previousElementSibling;
      row.remove();
      (neighbour?.querySelector("input, textarea") ?? add).focus();
    } else {
      row.querySelectorAll("input, textarea").forEach((input) => { input.value = ""; });
      row.querySelector("input, textarea")?.focus();
    }
    limited();
  });
  limited();
}
