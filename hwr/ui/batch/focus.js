() => {
  const name = document.querySelector("#batch-name :is(input, textarea)");
  if (name && [document.body, null].includes(document.activeElement)) {
    name.focus({ preventScroll: true });
  }
}
