"use strict";
const quoted = (text) => '"' + text.replace(/"/g, '""') + '"';
function marks() {
  const lines = [["student", "task", "points", "comment"].join(",")];
  for (const form of document.querySelectorAll(".answer")) {
    const points = form.querySelector("input").value.trim();
    const comment = form.querySelector("textarea").value.trim();
    if (points !== form.dataset.points || comment !== form.dataset.comment) {
      lines.push([form.dataset.student, form.dataset.task, points, comment].map(quoted).join(","));
    }
  }
  return "\ufeff" + lines.join("\r\n") + "\r\n";
}
document.getElementById("save").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([marks()], { type: "text/csv" }));
  link.download = "marks.csv";
  link.click();
});
document.getElementById("blind").addEventListener("change", (event) => {
  document.body.classList.toggle("blind", event.target.checked);
});
