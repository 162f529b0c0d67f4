// Browsers refuse workers on pages opened from disk, and the search runs in one. There, and only there, run it in a frame.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      this.ready = new Promise((resolve) => {
        const inner = this.frame.contentDocument;
        this.frame.contentWindow.started = resolve;
        inner.open();
        inner.write(
          "<script>" +
            "self.postMessage = (data) => parent.postMessage(data, '*');" +
            "self.importScripts = (...urls) => urls.reduce((before, url) => before.then(() => new Promise((done) => {" +
            "  const script = document.createElement('script');" +
            "  script.src = url; script.onload = done; document.head.appendChild(script); })), Promise.resolve());" +
            "</script><script src='" + url + "' onload='started()'></script>"
        );
        inner.close();
      });
      window.addEventListener("message", (event) => {
        if (event.source !== this.frame.contentWindow) return;
        const copy = new MessageEvent("message", { data: event.data });
        this.dispatchEvent(copy);
        if (this.onmessage) this.onmessage(copy);
      });
    }

    postMessage(data) {
      this.ready.then(() => {
        const inner = this.frame.contentWindow;
        inner.dispatchEvent(new inner.MessageEvent("message", { data }));
      });
    }

    terminate() {
      this.frame.remove();
    }
  };
}
