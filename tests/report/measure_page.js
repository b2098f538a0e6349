// Put at the end of a page in a frame: writes what a reader sees as JSON into an element named
// "measured" of the page around it.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const shown = element => element.getClientRects().length > 0;
  const place = element => {
    const box = element.getBoundingClientRect();
    return {left: box.left, top: box.top, right: box.right, bottom: box.bottom};
  };
  document.documentElement.style.scrollBehavior = 'auto';
  const result = {
    width: innerWidth,
    page: document.documentElement.scrollWidth,
    dark: matchMedia('(prefers-color-scheme: dark)').matches,
    paper: getComputedStyle(document.body).backgroundColor,
    tables: all('.comparison').map(table => ({
      columns: all('thead th', table).length,
      room: table.parentElement.clientWidth, needed: table.parentElement.scrollWidth})),
    drawings: all('.drawing').map(drawing => {
      const svgs = all('svg', drawing).filter(shown);
      const scale = svgs[0].clientWidth / svgs[0].viewBox.baseVal.width;
      return {
        alt: drawing.getAttribute('aria-label'), shown: svgs.length,
        narrow: svgs[0].parentElement.className === 'when-narrow',
        ...place(drawing),
        texts: all('text', svgs[0]).map(text => ({
          text: text.textContent, colour: getComputedStyle(text).fill,
          pixels: scale * parseFloat(getComputedStyle(text).fontSize), ...place(text)})),
        lines: all('path', svgs[0]).map(path => getComputedStyle(path).stroke),
        fills: all('path', svgs[0]).map(path => getComputedStyle(path).fill),
        images: all('image', svgs[0]).map(image => getComputedStyle(image).filter)};
    }),
    ink: getComputedStyle(document.body).color,
    thumbnails: all('.thumbnails img').map(place),
  };
  const nav = document.querySelector('nav');
  result.links = all('nav a').map(link => {
    const target = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    target.scrollIntoView();
    return {nav: place(nav), target: place(target), name: link.textContent,
            end: innerHeight + scrollY >= document.documentElement.scrollHeight - 1};
  });
  scrollTo(0, document.documentElement.scrollHeight);
  result.end = place(nav);
  parent.document.getElementById('measured').textContent = JSON.stringify(result);
})();
