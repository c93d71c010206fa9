(picture) => {
  if (picture && innerWidth < 700) {
    document.getElementById("headline").scrollIntoView({ block: "center", behavior: "smooth" });
  }
}
