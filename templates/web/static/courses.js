// Dragging steps on the timeline. All of it can be done without this file.
(function () {
  "use strict";

  const line = document.querySelector(".timeline[data-move]");
  if (line && window.Sortable) {
    const grips = line.querySelectorAll(".timeline-step[data-name] .timeline-day");
    for (const grip of grips) grip.classList.add("timeline-grip");
    new Sortable(line, {
      draggable: ".timeline-step[data-name]",
      handle: ".timeline-grip",
      ghostClass: "timeline-ghost",
      animation: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 120,
      onEnd(event) {
        if (event.oldIndex === event.newIndex) return;
        let next = event.item.nextElementSibling;
        while (next && !next.dataset.name) next = next.nextElementSibling;
        const form = event.item.querySelector("form");
        const before = document.createElement("input");
        Object.assign(before, { type: "hidden", name: "before", value: next ? next.dataset.name : "" });
        form.append(before);
        form.submit();
      },
    });
  }
})();
