() => {
  // Runs once in the browser. Results are announced to screen readers as they change, and what
  // Gradio 6.31 leaves without a name or a role gets one when it appears.
  const mark = () => {
    for (const id of ["headline", "sample-label", "batch-status"]) {
      for (const text of document.querySelectorAll(`#${id} .prose:not([aria-live])`)) {
        text.setAttribute("aria-live", "polite");
      }
    }
    for (const lock of document.querySelectorAll('[aria-label="Static column"]:not([role])')) {
      lock.setAttribute("role", "img");
    }
    for (const button of document.querySelectorAll('[aria-label="common.upload"]')) {
      // A button around the button that does it.
      button.setAttribute("aria-label", "Add files");
      button.setAttribute("role", "group");
      button.setAttribute("tabindex", "-1");
    }
    const unnamed = "button.gallery-item:not([aria-label]):has(img)";
    for (const item of document.querySelectorAll(unnamed)) {
      const number = [...item.parentNode.children].indexOf(item) + 1;
      item.setAttribute("aria-label", `Example ${number}`);
    }
  };
  let asked = false;
  new MutationObserver(() => {
    if (!asked) {
      asked = true;
      requestAnimationFrame(() => { asked = false; mark(); });
    }
  }).observe(document.body, { childList: true, subtree: true });
  mark();
}
