// Going to the line that a problem names in the text beside it. All of it can be done without this file.
(function () {
  "use strict";

  // The line of the file that a problem names, in the text that is typed.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-line]");
    const area = document.querySelector(".editor-text");
    if (!link || !area) return;
    event.preventDefault();
    goTo(area, Number(link.dataset.line));
  });

  function goTo(area, wanted) {
    const at = wanted - Number(area.dataset.first);
    if (at < 0) {
      const first = document.querySelector("#set_subject");
      if (first) first.focus();
      return;
    }
    const lines = area.value.split("\n");
    const start = lines.slice(0, at).reduce((sum, text) => sum + text.length + 1, 0);
    area.focus();
    area.setSelectionRange(start, start + (lines[at] || "").length);
    area.scrollTop = Math.max(0, (at - 4) * parseFloat(getComputedStyle(area).lineHeight));
  }

  const named = /^#line-(\d+)$/.exec(location.hash);
  const area = document.querySelector(".editor-text");
  if (named && area) goTo(area, Number(named[1]));
})();
