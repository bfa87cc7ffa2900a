// The work that a form asks for when many sign up at once: find a number for which the SHA-256 of "key:number"
// begins with so many zero bits. Without crypto.subtle (an address without https), waiting does it as well.
(() => {
  "use strict";
  const form = document.querySelector("form[data-bits]");
  if (!form || !window.crypto || !crypto.subtle) return;
  const bits = Number(form.dataset.bits);
  const key = form.elements.key.value;
  const told = document.getElementById("working");
  const waiting = document.getElementById("waiting");
  const encoder = new TextEncoder();

  async function isProof(number) {
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(`${key}:${number}`)));
    let left = bits;
    for (const byte of bytes) {
      if (left >= 8) {
        if (byte !== 0) return false;
        left -= 8;
      } else {
        return byte >> (8 - left) === 0;
      }
    }
    return true;
  }

  async function work() {
    told.hidden = false;
    waiting.hidden = true;
    for (let first = 0; ; first += 256) {
      const found = await Promise.all(Array.from({ length: 256 }, (_, place) => isProof(first + place)));
      const place = found.indexOf(true);
      if (place >= 0) {
        form.elements.solution.value = String(first + place);
        form.requestSubmit();
        return;
      }
    }
  }

  work();
})();
