// Whether what is shown is live. Without this script, and without any other, every page works and stands still.
"use strict";

const pulse = document.getElementById("pulse");

function say(text, state) {
  if (pulse && pulse.textContent !== text) {
    pulse.textContent = text;
    pulse.className = "pulse " + state;
  }
}

function lose() {
  const since = new Date().toISOString().slice(11, 19);
  if (pulse && !pulse.classList.contains("lost")) say("Stands still since " + since + " UTC", "lost");
}

document.addEventListener("htmx:before:request", (event) => {
  if (document.hidden) event.preventDefault(); // nobody looks
});
document.addEventListener("htmx:after:swap", () => say("Live", "live"));
document.addEventListener("htmx:response:error", lose);
document.addEventListener("htmx:error", lose);
