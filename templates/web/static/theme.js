// Before anything is painted: light or dark, as the person chose or as the machine is set.
(function () {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function apply() {
    const choice = root.dataset.themeChoice;
    root.dataset.bsTheme = choice === "light" || choice === "dark" ? choice : dark.matches ? "dark" : "light";
  }
  dark.addEventListener("change", apply);
  apply();
})();
