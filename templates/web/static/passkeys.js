// Passkeys: a form with data-passkey="get" or "create" asks the device before it is sent. What the device is asked
// comes from data-question, its answer goes into the field "answer". Such forms show only where this can work.
(function () {
  "use strict";
  const known = window.PublicKeyCredential;
  if (!known || !known.parseRequestOptionsFromJSON || !known.parseCreationOptionsFromJSON) return;

  async function question(form) {
    const key = form.elements.form_key;
    const headers = key ? { "Form-Key": key.value } : {};
    const answer = await fetch(form.dataset.question, { method: "POST", headers });
    if (!answer.ok) throw new Error("the question could not be asked");
    return answer.json();
  }

  async function ask(form) {
    const asked = await question(form);
    if (form.dataset.passkey === "create") {
      const publicKey = known.parseCreationOptionsFromJSON(asked);
      return navigator.credentials.create({ publicKey });
    }
    return navigator.credentials.get({ publicKey: known.parseRequestOptionsFromJSON(asked) });
  }

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    const told = form.querySelector("[data-told]");
    form.addEventListener(
      "submit",
      async (event) => {
        if (form.elements.answer.value) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        if (form.dataset.asking) return;
        form.dataset.asking = "yes";
        told.textContent = "";
        try {
          form.elements.answer.value = JSON.stringify(await ask(form));
          form.requestSubmit();
        } catch (error) {
          told.textContent =
            error.name === "InvalidStateError"
              ? "This device has a passkey of yours already."
              : "Nothing was done: the device was not asked, or did not answer in time. Try again.";
        } finally {
          delete form.dataset.asking;
        }
      },
      true,
    );
  }
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-passkey]")) form.elements.answer.value = "";
  });
})();
