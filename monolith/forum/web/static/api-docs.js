// The page of the API: Swagger UI over the documents that the page links to.

const urls = [...document.querySelectorAll("a.document")].map((link) => (
  { name: link.textContent, url: link.getAttribute("href") }
));

SwaggerUIBundle({
  domNode: document.getElementById("api-docs"),
  urls,
  layout: "StandaloneLayout",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  // Its logo is an SVG with an inline stylesheet, which the page's Content-Security-Policy refuses.
  plugins: [{ components: { Logo: () => null } }],
  deepLinking: true,
  // Otherwise the browser would send each document's address to validator.swagger.io.
  validatorUrl: null,
});
