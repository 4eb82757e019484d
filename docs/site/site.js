// What axe-core misses in the theme: names of the search, and tables that scroll by keyboard.
document$.subscribe(() => setTimeout(() => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelector("#__search")?.setAttribute("aria-label", "Open the search");
  for (const table of document.querySelectorAll(".md-typeset__scrollwrap")) table.tabIndex = 0;
}));
