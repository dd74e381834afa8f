// Mirrors fields marked data-preview="name" into the elements that say
// data-preview-of="name"; a chosen picture is shown from memory (blob:).
const each = (attribute, name, act) => document.querySelectorAll(`[${attribute}="${CSS.escape(name)}"]`).forEach(act);

function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  if (words.length === 0) return "?";
  return words.slice(0, 2).map((word) => [...word][0]).join("").toUpperCase();
}

function mirror(input) {
  const name = input.dataset.preview, text = input.value.trim();
  each("data-preview-of", name, (element) => { element.textContent = text || (element.dataset.previewEmpty ?? ""); });
  each("data-preview-initials-of", name, (element) => { element.textContent = initials(text); });
}

const urls = new WeakMap();

function picture(input) {
  const file = input.files[0];
  if (urls.has(input)) URL.revokeObjectURL(urls.get(input));
  each("data-preview-image-of", input.dataset.preview, (element) => {
    element.querySelectorAll("img[data-chosen]").forEach((img) => img.remove());
    for (const child of element.children) child.hidden = false;
    if (!file || !/^image\/(png|jpeg|gif|webp)$/.test(file.type)) return;
    const img = document.createElement("img");
    const url = URL.createObjectURL(file);
    urls.set(input, url);
    img.alt = "";
    img.dataset.chosen = "";
    img.src = url;
    img.onload = () => { for (const child of element.children) child.hidden = child !== img; };
    img.onerror = () => img.remove();
    element.append(img);
  });
}

document.addEventListener("input", ({ target }) => {
  if (!target.dataset?.preview) return;
  if (target.type === "file") picture(target);
  else mirror(target);
});
document.querySelectorAll("[data-preview]:not([type=file])").forEach(mirror);
