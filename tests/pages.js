// In a copy of a page: unfolds what is folded, has axe look at it, and tells the frame around it what was found.
addEventListener("load", async () => {
    const tell = (words) => parent.postMessage(`${innerWidth}: ${words}`, "*");
    document.querySelectorAll("details").forEach((one) => (one.open = true));
    const wide = document.documentElement.scrollWidth;
    if (wide !== innerWidth) tell(`the page is ${wide} pixels wide`);
    const text = document.body.innerText;
    for (const name of document.querySelectorAll("script")) {
        if (name.textContent.includes("postMessage('a name ran'")) tell("a name became a script");
    }
    if (document.querySelector("img, iframe, object, embed")) tell("something is to be loaded");
    const headings = [...document.querySelectorAll("h1, h2, h3")].map((one) => Number(one.tagName[1]));
    headings.forEach((level, place) => {
        if (level > (headings[place - 1] ?? 0) + 1) tell(`a heading of level ${level} follows a higher one`);
    });
    document.querySelectorAll("svg[role=img]").forEach((one) => {
        if (!one.closest("article")?.querySelector("table")) tell("a picture without its table");
    });
    const results = await axe.run(document, { resultTypes: ["violations"] });
    for (const rule of results.violations) {
        for (const node of rule.nodes) tell(`axe ${rule.id}: ${node.html.slice(0, 200)} (${node.failureSummary})`);
    }
    tell(`looked at, ${results.passes.length} rules of axe hold, ${text.length} letters`);
});
