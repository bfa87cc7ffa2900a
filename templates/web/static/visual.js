// The visual editor. GrapesJS draws the mail and lets it be dragged and typed in; what it is made of comes from
// the server as a tree and goes back as one, so no HTML of a mail is ever parsed into components here.
(function () {
  "use strict";

  if (!window.grapesjs || !window["grapesjs-mjml"]) {
    document.querySelector("#visual-missing").hidden = false;
    return;
  }
  const data = JSON.parse(document.querySelector("#visual-data").textContent);
  const place = document.querySelector("#visual");
  const home = document.querySelector("#visual-editor");
  const form = document.querySelector("#editor");
  const field = document.querySelector("#visual-tree");
  const told = document.querySelector("#visual-told");
  const SAYS = ["mj-text", "mj-button", "mj-table"];
  const MOVED = ["mj-wrapper", "mj-section", "mj-group", "mj-column", ...Object.keys(data.may).filter(isPiece)];
  const WORDS = {
    mjml: "Mail", "mj-body": "Page", "mj-wrapper": "Band", "mj-section": "Row", "mj-group": "Group of columns",
    "mj-column": "Column", "mj-text": "Text", "mj-button": "Button", "mj-image": "Picture", "mj-divider": "Line",
    "mj-spacer": "Space", "mj-table": "Table",
  };
  const LABELS = {
    href: "Address of the link", alt: "What the picture shows", src: "Picture", align: "Where it stands",
    "background-color": "Background", "container-background-color": "Background", color: "Colour of the text",
    "font-size": "Size of the text", padding: "Space around it", width: "Width", height: "Height",
    "border-radius": "Round corners", "border-color": "Colour", "border-width": "Thickness",
  };
  const CHOICES = { align: ["left", "center", "right"], "vertical-align": ["top", "middle", "bottom"] };

  function isPiece(tag) {
    return !["mjml", "mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column"].includes(tag);
  }

  const text = (content) => ({ tag: "mj-text", attributes: {}, content });
  const row = (count) => ({
    tag: "mj-section",
    attributes: {},
    children: Array.from({ length: count }, () => ({ tag: "mj-column", attributes: {}, children: [text("Write here.")] })),
  });
  const BLOCKS = {
    Text: text("Write here."),
    Button: { tag: "mj-button", attributes: { href: "https://" }, content: "What it does" },
    Picture: { tag: "mj-image", attributes: { src: data.pictures[0] || "" } },
    Line: { tag: "mj-divider", attributes: {} },
    Space: { tag: "mj-spacer", attributes: { height: "20px" } },
    Row: row(1),
    "Two columns": row(2),
    "Three columns": row(3),
  };

  // A node of the tree as GrapesJS takes it. HTML stays in one string: it is shown, and typed in, as that.
  function component(node) {
    const made = { type: node.tag, tagName: node.tag, attributes: { ...node.attributes } };
    if (node.content !== undefined) Object.assign(made, { content: node.content, editable: isKept(node) });
    if (node.children) made.components = node.children.map(component);
    return made;
  }

  // Whether a browser that draws it leaves everything in its place. Tags between the rows of a table it would
  // move before the table, so that is changed as HTML only.
  function isKept({ tag, content }) {
    const drawn = (html) => new DOMParser().parseFromString(html, "text/html").body.textContent.replace(/\s+/g, "");
    return tag !== "mj-table" && drawn(content) === drawn(content.replace(/<[^>]*>/g, ""));
  }

  // And back.
  function node(part) {
    const tag = part.get("tagName");
    const said = { tag, attributes: attributesOf(part) };
    if (SAYS.includes(tag)) said.content = contentOf(part);
    else if (!isPiece(tag)) said.children = part.components().map(node);
    return said;
  }

  function attributesOf(part) {
    const may = data.may[part.get("tagName")] || [];
    const all = { ...part.get("attributes") };
    if (part.get("src") && part.get("tagName") === "mj-image") all.src = part.get("src");
    return Object.fromEntries(Object.entries(all).filter(([name]) => may.includes(name)).map(([name, value]) => [name, String(value)]));
  }

  function contentOf(part) {
    const view = part.view;
    if (view && view.rteEnabled) return view.getChildrenContainer().innerHTML;
    return part.components().length ? part.getInnerHTML() : part.get("content") || "";
  }

  // What GrapesJS would have in a mail and the compiler refuses, and defaults of its own, are taken away.
  function ourTypes(editor) {
    const escaped = (value) => String(value).replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;");
    const model = {
      getMjmlAttributes() {
        const said = attributesOf(this);
        for (const name of Object.keys(said)) said[name] = escaped(said[name]);
        return said;
      },
    };
    if (!editor.Components.getType("mj-table")) {
      editor.Components.addType("mj-table", { extend: "mj-text", view: { getChildrenSelector: () => "td > table" } });
    }
    for (const tag of Object.keys(data.may)) {
      const defaults = { "style-default": {}, traits: [], resizable: false, name: WORDS[tag] };
      editor.Components.addType(tag, { model: { ...model, defaults } });
    }
  }

  const editor = grapesjs.init({
    container: "#visual-canvas",
    height: "100%",
    width: "auto",
    storageManager: false,
    telemetry: false,
    cssIcons: "",
    noticeOnUnload: false,
    showDevices: false,
    panels: { defaults: [] },
    parser: { optionsHtml: { allowScripts: false, allowUnsafeAttr: false, allowUnsafeAttrValue: false } },
    canvas: { allowExternalDrop: false, frameStyle: "body { background: #fff }" + data.style },
    assetManager: { custom: { open: () => focusOn("src"), close: () => {} }, upload: false, embedAsBase64: false },
    blockManager: { custom: true },
    styleManager: { custom: true },
    traitManager: { custom: true },
    layerManager: { custom: true },
    selectorManager: { custom: true },
    richTextEditor: { actions: ["bold", "italic", "underline", "strikethrough", { name: "link", result: link }], onPaste: paste },
    plugins: [mjml, ourTypes],
  });

  function mjml(editor) {
    const plugin = window["grapesjs-mjml"];
    // A font of no mail: with none said, it would ask a server for those it knows.
    (plugin.default || plugin)(editor, { blocks: [], resetStyleManager: false, resetDevices: false, useCustomTheme: false, fonts: { "no font": "" } });
  }

  // The words only: what other programs make of their looks is no HTML for mails.
  function paste({ ev, rte }) {
    ev.preventDefault();
    rte.doc.execCommand("insertText", false, ev.clipboardData.getData("text"));
  }

  function link(rte) {
    const chosen = rte.selection();
    const around = chosen.anchorNode && chosen.anchorNode.parentElement.closest("a");
    const address = prompt("Address of the link; none takes it away", around ? around.getAttribute("href") : "https://");
    if (address === null) return;
    if (address.trim()) rte.exec("createLink", address.trim());
    else rte.exec("unlink");
  }

  // ---- The tree that is sent.

  let known = "";
  function remember() {
    const root = editor.getComponents().at(0);
    field.value = JSON.stringify(node(root));
    if (field.value === known) return false;
    known = field.value;
    return true;
  }

  let waiting = 0;
  function changed() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (!remember()) return;
      // What the preview listens to.
      field.dispatchEvent(new Event("input", { bubbles: true }));
      listParts();
    }, 150);
  }

  // ---- What is put in, and where.

  function add(block) {
    const chosen = editor.getSelected();
    const [into, at] = spot(block.tag, chosen);
    const made = into.append(component(like(block, into)), at === null ? {} : { at })[0];
    editor.select(made);
    editor.Canvas.scrollTo(made);
    told.textContent = `${WORDS[block.tag]} put in.`;
  }

  // Behind what is chosen, where such an element may stand; else at the end.
  function spot(tag, chosen) {
    const holder = isPiece(tag) ? ["mj-column"] : ["mj-body", "mj-wrapper"];
    let part = chosen;
    while (part && part.parent()) {
      if (holder.includes(part.get("tagName"))) return [part, null];
      if (holder.includes(part.parent().get("tagName"))) return [part.parent(), part.index() + 1];
      part = part.parent();
    }
    const body = editor.getComponents().at(0).components().at(0);
    if (!isPiece(tag)) return [body, null];
    const columns = body.findType("mj-column");
    const size = (column) => JSON.stringify(node(column)).length;
    // The one that says most is the mail itself; the others are its head and its foot.
    if (columns.length) return [columns.reduce((most, one) => (size(one) > size(most) ? one : most)), null];
    return [body.append(component({ tag: "mj-section", attributes: {}, children: [{ tag: "mj-column", attributes: {}, children: [] }] }))[0].components().at(0), null];
  }

  // As its neighbours of the same kind look; a text begins a paragraph where they do.
  function like(block, into) {
    const same = into.components().filter((one) => one.get("tagName") === block.tag).pop();
    if (!isPiece(block.tag) || !same) return block;
    const { href, src, alt, title, ...look } = attributesOf(same);
    const isParagraph = block.tag === "mj-text" && /<p[ >]/.test(contentOf(same));
    const content = isParagraph ? `<p>${block.content}</p>` : block.content;
    return { ...block, attributes: { ...look, ...block.attributes }, content };
  }

  function makeBlocks() {
    const bar = document.querySelector("#visual-blocks");
    for (const [words, block] of Object.entries(BLOCKS)) {
      const held = editor.Blocks.add(words, { label: words, content: component(block), select: true });
      const button = makeButton(words, () => add(block));
      button.draggable = true;
      button.addEventListener("dragstart", (event) => editor.Blocks.startDrag(held, event));
      button.addEventListener("dragend", () => editor.Blocks.endDrag());
      bar.append(button);
    }
  }

  function makeButton(words, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn btn-sm";
    button.textContent = words;
    button.addEventListener("click", act);
    return button;
  }

  // ---- The list of its parts.

  function listParts() {
    const list = document.querySelector("#visual-parts");
    const focused = [...list.querySelectorAll("button")].indexOf(document.activeElement);
    list.replaceChildren();
    const walk = (part, depth) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "\u2003".repeat(depth) + nameOf(part);
      if (part === editor.getSelected()) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => editor.select(part, { scroll: true }));
      item.append(button);
      list.append(item);
      if (!SAYS.includes(part.get("tagName"))) part.components().forEach((child) => walk(child, depth + 1));
    };
    walk(editor.getComponents().at(0).components().at(0), 0);
    if (focused >= 0) list.querySelectorAll("button")[focused]?.focus();
    const current = list.querySelector("[aria-current]");
    if (current) list.scrollTop = Math.max(0, current.offsetTop - list.offsetTop - list.clientHeight / 2);
  }

  function nameOf(part) {
    const tag = part.get("tagName");
    const words = WORDS[tag] || tag;
    if (tag === "mj-image") return `${words}: ${attributesOf(part).alt || "says nothing yet"}`;
    if (!SAYS.includes(tag)) return words;
    const said = new DOMParser().parseFromString(contentOf(part), "text/html").body.textContent.replace(/\s+/g, " ").trim();
    return `${words}: ${said.slice(0, 40)}`;
  }

  // ---- What the chosen part has.

  function showSettings() {
    const part = editor.getSelected();
    const box = document.querySelector("#visual-settings");
    const tag = part && part.get("tagName");
    if (!part || !data.may[tag]) return;
    document.querySelector("#visual-chosen").textContent = WORDS[tag];
    box.replaceChildren(acts(part, tag));
    if (SAYS.includes(tag)) box.append(setting("content", "Text, in HTML", contentOf(part), (value) => part.set("content", value), true));
    if (tag === "mj-image") box.append(pictures(part));
    const names = data.may[tag].filter((name) => !["src", "css-class", "name", "rel", "target"].includes(name));
    const first = names.filter((name) => LABELS[name]);
    for (const name of first) box.append(attribute(part, name));
    const more = document.createElement("details");
    more.innerHTML = "<summary class=\"btn btn-sm\">More</summary>";
    for (const name of names.filter((one) => !LABELS[one])) more.append(attribute(part, name));
    box.append(more);
  }

  function acts(part, tag) {
    const box = document.createElement("div");
    box.className = "visual-acts";
    if (!MOVED.includes(tag)) return box;
    const at = part.index();
    const siblings = part.parent().components().length;
    const up = makeButton("Up", () => moved(part, at - 1));
    const down = makeButton("Down", () => moved(part, at + 2));
    up.disabled = at === 0;
    down.disabled = at === siblings - 1;
    box.append(up, down, makeButton("Copy", () => editor.select(part.parent().append(part.clone(), { at: at + 1 })[0])));
    box.append(makeButton("Remove", () => {
      const above = part.parent();
      part.remove();
      editor.select(above);
      told.textContent = `${WORDS[tag]} removed; Undo brings it back.`;
    }));
    return box;
  }

  function moved(part, at) {
    part.move(part.parent(), { at });
    editor.select(part);
    changed();
    showSettings();
  }

  function attribute(part, name) {
    const value = attributesOf(part)[name] || "";
    return setting(name, LABELS[name] || name.replaceAll("-", " "), value, (said) => {
      if (said) part.addAttributes({ [name]: said });
      else part.removeAttributes(name);
    });
  }

  function setting(name, words, value, act, isLong = false) {
    const box = document.createElement("div");
    box.className = "mb-3";
    const label = document.createElement("label");
    label.className = "form-label";
    label.htmlFor = `visual-${name}`;
    label.textContent = words;
    const input = document.createElement(isLong ? "textarea" : CHOICES[name] ? "select" : "input");
    if (CHOICES[name]) input.append(...["", ...CHOICES[name]].map((one) => new Option(one || "as usual", one)));
    input.className = CHOICES[name] ? "form-select form-select-sm" : "form-control form-control-sm";
    input.id = `visual-${name}`;
    input.value = value;
    if (isLong) input.rows = 5;
    input.addEventListener("change", () => {
      act(input.value.trim());
      changed();
    });
    box.append(label, input);
    return box;
  }

  // Those of the campaign, and one from this computer.
  function pictures(part) {
    const box = document.createElement("div");
    const choose = setting("src", LABELS.src, "", (value) => part.set("src", value));
    const input = choose.querySelector("input");
    const select = document.createElement("select");
    select.className = "form-select form-select-sm";
    select.id = input.id;
    const now = attributesOf(part).src || "";
    const names = [...new Set([...data.pictures, now])].filter(Boolean);
    select.append(new Option("None yet", ""), ...names.map((one) => new Option(one.replace("media/", ""), one)));
    select.value = now;
    select.addEventListener("change", () => {
      part.set("src", select.value);
      changed();
    });
    input.replaceWith(select);
    const upload = setting("upload", "Another picture: PNG, JPEG or GIF, up to 2 MB", "", () => {});
    const file = upload.querySelector("input");
    file.type = "file";
    file.accept = ".png,.jpg,.jpeg,.gif";
    file.addEventListener("change", () => bring(part, file.files[0]));
    box.append(choose, upload);
    return box;
  }

  async function bring(part, file) {
    if (!file) return;
    const body = new FormData();
    body.append("picture", file);
    told.textContent = "Adding the picture…";
    try {
      const answer = await fetch(home.dataset.pictures, { method: "POST", body, headers: { "Form-Key": home.dataset.key } });
      const said = await answer.json();
      if (!said.source) throw new Error(said.error);
      data.pictures.push(said.source);
      part.set("src", said.source);
      told.textContent = `Added ${said.source}. Say what it shows.`;
      changed();
      showSettings();
      focusOn("alt");
    } catch (error) {
      told.textContent = error.message || "The picture could not be added; try again.";
    }
  }

  function focusOn(name) {
    document.querySelector(`#visual-${name}`)?.focus();
  }

  // ---- Begin.

  function begin() {
    editor.setComponents([component(data.tree)]);
    editor.UndoManager.clear();
    const rte = editor.RichTextEditor;
    // GrapesJS's own toolbar, but what is typed stays one string.
    rte.customRte = {
      parseContent: false,
      enable: (element, held, opts) => rte.initRte(element).enable(opts),
      disable: (element, held) => held && held.disable(),
      getContent: (element) => element.innerHTML,
    };
    for (const frame of home.querySelectorAll("iframe")) frame.title = "The mail, to be changed";
    makeBlocks();
    listParts();
    remember();
    editor.on("update component:input component:update component:add component:remove", changed);
    editor.on("component:selected", () => {
      showSettings();
      listParts();
    });
    editor.on("rte:disable", showSettings);
    for (const button of home.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => {
        editor.runCommand(`core:${button.dataset.do}`);
        changed();
      });
    }
    for (const button of home.querySelectorAll("[data-width]")) {
      button.addEventListener("click", () => {
        editor.setDevice(button.dataset.width);
        for (const one of home.querySelectorAll("[data-width]")) one.setAttribute("aria-pressed", String(one === button));
      });
    }
    for (const button of form.querySelectorAll("[data-ready]")) button.disabled = false;
    home.dataset.ready = "yes";
  }

  form.addEventListener("submit", remember);
  place.hidden = false;
  editor.onReady(begin);
})();
