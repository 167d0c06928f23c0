// Small conveniences; every page works without them.
(() => {
  "use strict";
  for (const el of document.querySelectorAll("[data-noscript]")) el.hidden = true;
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
  for (const box of document.querySelectorAll("[data-submit]")) {
    box.addEventListener("change", () => box.form.requestSubmit());
  }
  const fold = document.querySelector(".facet-fold");
  if (fold && matchMedia("(max-width: 760px)").matches) fold.open = false;
  const editor = document.querySelector("[data-editor]");
  if (editor) {
    editor.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        editor.form.requestSubmit();
      }
    });
  }
  const search = document.querySelector("[data-search]");
  if (!search) return;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    }
  });
  const list = document.createElement("ul");
  list.className = "suggest";
  list.id = "suggest";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  search.setAttribute("role", "combobox");
  search.setAttribute("aria-controls", "suggest");
  search.setAttribute("aria-expanded", "false");
  search.form.append(list);
  let timer = 0, asked = 0, chosen = -1;
  const address = (hit) => {
    if (hit.kind === "product") return "/products/" + hit.target.replace(".", "/");
    if (hit.kind === "field") return "/products/" + hit.target.replace(".", "/") + "?tab=schema";
    return hit.kind === "term" ? "/glossary" : "/domains/" + hit.target;
  };
  const close = () => { list.hidden = true; chosen = -1; search.setAttribute("aria-expanded", "false"); };
  const show = (hits) => {
    list.replaceChildren(...hits.map((hit, i) => {
      const item = document.createElement("li");
      item.setAttribute("role", "option");
      item.id = "suggest-" + i;
      const link = document.createElement("a");
      link.href = address(hit);
      link.tabIndex = -1;
      const kind = document.createElement("span");
      kind.className = "kind";
      kind.textContent = hit.kind;
      const title = document.createElement("strong");
      title.textContent = hit.title;
      link.append(kind, title);
      item.append(link);
      return item;
    }));
    chosen = -1;
    list.hidden = hits.length === 0;
    search.setAttribute("aria-expanded", String(hits.length > 0));
  };
  search.addEventListener("input", () => {
    clearTimeout(timer);
    const text = search.value.trim();
    if (text.length < 2) return close();
    timer = setTimeout(async () => {
      const mine = ++asked;
      const answer = await fetch("/api/search?limit=8&q=" + encodeURIComponent(text));
      if (mine === asked && answer.ok) show((await answer.json()).hits);
    }, 90);
  });
  search.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const items = [...list.children];
    if (event.key === "Escape") return close();
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      chosen = (chosen + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length;
      items.forEach((item, i) => item.setAttribute("aria-selected", String(i === chosen)));
      search.setAttribute("aria-activedescendant", "suggest-" + chosen);
    } else if (event.key === "Enter" && chosen >= 0) {
      event.preventDefault();
      location.href = items[chosen].firstChild.href;
    }
  });
  search.addEventListener("blur", () => setTimeout(close, 200));
})();
