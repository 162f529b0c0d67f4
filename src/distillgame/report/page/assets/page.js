"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);

  // All text goes through here: it can only ever become text.
  function make(name, properties = {}, ...children) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  }

  function sortBy(table, heading) {
    const headings = [...heading.parentElement.children];
    const column = headings.indexOf(heading);
    const numeric = heading.dataset.kind === "number";
    const before = heading.getAttribute("aria-sort");
    const order = before === "none" ? (numeric ? "descending" : "ascending")
      : before === "ascending" ? "descending" : "ascending";
    headings.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const keyed = [...body.rows].map((row) => ({ row, key: row.cells[column].dataset.sort }));
    keyed.sort((a, b) => {
      if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "");
      return sign * (numeric ? Number(a.key) - Number(b.key) : a.key.localeCompare(b.key));
    });
    body.append(...keyed.map(({ row }) => row));
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    for (const button of table.querySelectorAll("thead button")) {
      button.addEventListener("click", () => sortBy(table, button.closest("th")));
    }
  }

  const viewer = document.getElementById("viewer");
  if (!data.problems.length) {
    viewer.append(make("p", { textContent: "No traces were kept for viewing." }));
    return;
  }

  const most = Math.max(0, ...data.problems.flatMap((problem) =>
    problem.traces.map((trace) => trace.kl.reduce((a, b) => Math.max(a, b), 0))));
  const number = (value) => (value === null ? "–" : value.toFixed(2));

  const select = make("select", { id: "problem", ariaLabel: "Problem" }, ...data.problems.map((problem, i) => {
    const question = problem.question.replace(/\s+/g, " ");
    const short = question.length > 70 ? `${question.slice(0, 69)}…` : question;
    return make("option", { value: String(i), textContent: `${i + 1}. ${short}` });
  }));
  const previous = make("button", { type: "button", id: "previous", textContent: "← Previous" });
  const next = make("button", { type: "button", id: "next", textContent: "Next →" });
  const shown = make("fieldset", { id: "shown" }, make("legend", { textContent: "Side by side:" }));
  for (const defense of data.defenses) {
    const box = make("input", { type: "checkbox", checked: defense.shown });
    box.addEventListener("change", () => {
      defense.shown = box.checked;
      show();
    });
    shown.append(make("label", {}, box, ` ${defense.name}`));
  }
  const question = make("p", { className: "question", id: "question" });
  const solution = make("p", { id: "reference" });
  const reference = make("details", { className: "reference" },
    make("summary", { textContent: "Public worked solution" }), solution);
  const traces = make("div", { className: "traces", id: "traces" });
  const reading = make("output", { id: "reading", textContent: "Tap a token for its number." });
  // Colour goes with the square root, so that the middle of the ramp is a quarter of its end.
  const scale = make("div", { className: "scale" },
    "KL(released‖undefended) at a token: 0", make("span", { className: "ramp" }),
    `${number(most)} nats (middle ${number(most / 4)})`, reading);

  const meanings = { stated: "states a private fact", derivable: "gives a private fact away", false: "claims a falsehood" };

  function pieceOf(text, kl, name, facts, statements) {
    const piece = make("span", { className: "piece", textContent: text });
    const said = [...new Set([...facts.map((fact) => `${meanings[fact.kind]} about ${fact.name}`),
      ...statements.map(({ true: holds }) => (holds ? "a statement that holds" : "a statement that does not hold"))])].join("; ");
    for (const fact of facts) piece.classList.add("fact", fact.kind);
    for (const statement of statements) piece.classList.add(statement.true ? "holds" : "fails");
    piece.title = said;
    if (kl === undefined) return piece;
    piece.title = `KL ${kl.toFixed(3)} nats${said && `; ${said}`}`;
    piece.style.setProperty("--share", String(most > 0 ? Math.sqrt(Math.max(kl, 0) / most) : 0));
    piece.addEventListener("click", () => {
      traces.querySelectorAll(".picked").forEach((other) => other.classList.remove("picked"));
      piece.classList.add("picked");
      reading.textContent = `“${text.trim()}” under ${name}: KL ${kl.toFixed(3)} nats${said && `; ${said}`}`;
    });
    return piece;
  }

  function measure(name, value) {
    return make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }));
  }

  function counted(facts) {
    const named = Object.keys(meanings).map((kind) => [kind, new Set(facts.filter((fact) => fact.kind === kind)
      .map((fact) => fact.name)).size]);
    return named.filter(([, count]) => count).map(([kind, count]) => `${count} ${kind}`).join(", ");
  }

  function panel(trace, name) {
    const verdict = make("span", {
      className: trace.correct ? "right" : "wrong", textContent: trace.correct ? "✓ right" : "✗ wrong",
    });
    const measured = trace.kl.length === trace.pieces.length;
    const text = make("div", { className: "text-of-trace" });
    let start = 0;
    trace.pieces.forEach((piece, i) => {
      // Offsets count characters, of which JavaScript may need two code units.
      const end = start + [...piece].length;
      const from = start + piece.length - piece.trimStart().length;
      const facts = trace.facts.filter((fact) => fact.start < end && fact.end > from);
      const statements = trace.statements.filter((mark) => mark.start < end && mark.end > from);
      // Where a trace is one piece, statements are marked apart.
      if (trace.pieces.length === 1) text.append(...cut(piece, trace.statements, name, trace.facts));
      else text.append(pieceOf(piece, measured ? trace.kl[i] : undefined, name, facts, statements));
      start = end;
    });
    const measures = make("dl", { className: "measures" },
      measure("answer", trace.answer === null ? "none" : trace.answer), measure("total KL", number(trace.total_kl)),
      measure("value released", number(trace.value)),
      ...(trace.facts.length ? [measure("facts", counted(trace.facts))] : []),
      measure("ended", trace.finish_reason === "stop" ? "by itself" : `by ${trace.finish_reason}`));
    return make("article", { className: "trace" }, make("h3", {}, make("span", { textContent: name }), verdict),
      text, measures, ...trace.judgements.map(opinion));
  }

  // The pieces of a text that was released whole: what lies between statements, and they.
  function cut(whole, statements, name, facts) {
    const characters = [...whole];
    const edges = [...new Set([0, characters.length, ...[...statements, ...facts].flatMap(({ start, end }) => [start, end])])]
      .filter((edge) => edge <= characters.length).sort((a, b) => a - b);
    const within = (from, to) => ({ start, end }) => start < to && end > from;
    return edges.slice(1).map((to, i) => pieceOf(characters.slice(edges[i], to).join(""), undefined, name,
      facts.filter(within(edges[i], to)), statements.filter(within(edges[i], to))));
  }

  function opinion(judgement) {
    const scores = Object.entries(judgement.scores);
    const headline = judgement.scores.auditability;
    const title = judgement.failure === null || scores.length
      ? `${judgement.judge}: auditability ${headline === undefined ? "–" : headline.toFixed(2)}`
      : `${judgement.judge}: not scored (${judgement.failure})`;
    const items = scores.flatMap(([criterion, score]) => [make("dt", { textContent: criterion }),
      make("dd", { textContent: [Number(score.toFixed(3)), judgement.reasons[criterion]].filter((part) => part !== undefined).join(": ") })]);
    return make("details", { className: "judgement" }, make("summary", { textContent: title }), make("dl", {}, ...items));
  }

  function show() {
    const problem = data.problems[select.selectedIndex];
    question.textContent = problem.question;
    solution.textContent = problem.reference;
    traces.replaceChildren(...data.defenses.filter((defense) => defense.shown).flatMap((defense) =>
      problem.traces.filter((trace) => trace.defense === defense.key).map((trace) => panel(trace, defense.name))));
    previous.disabled = select.selectedIndex === 0;
    next.disabled = select.selectedIndex === data.problems.length - 1;
  }

  function step(by) {
    const place = select.selectedIndex + by;
    if (place < 0 || place >= data.problems.length) return;
    select.selectedIndex = place;
    show();
  }

  select.addEventListener("change", show);
  previous.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  viewer.addEventListener("keydown", (event) => {
    // A select has arrow keys of its own.
    if (event.target === select) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
  });
  viewer.append(make("div", { className: "bar" }, select, previous, next), shown, question, reference, scale, traces);
  show();
})();
