// What axe-core misses in the theme: names of the search, and tables that scroll by keyboard.
const name = () => {
  document.querySelector(".md-search:not([aria-label])")?.setAttribute("aria-label", "Search");
  document.querySelector("#__search:not([aria-label])")?.setAttribute("aria-label", "Open the search");
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) table.tabIndex = 0;
};
new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
name();
