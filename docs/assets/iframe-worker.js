// Browsers start no worker from a file:// address: opened from disk, the search runs in a frame.
// The name makes zensical leave out the script that it would load from a CDN for this.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(address) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      inside.postMessage = (data) => this.onmessage?.({ data });
      const script = inside.document.createElement("script");
      script.src = address;
      this.isReady = new Promise((ready) => (script.onload = ready));
      inside.document.body.append(script);
    }
    postMessage(data) {
      this.isReady.then(() => this.frame.contentWindow.onmessage({ data }));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
