import { StrictMode } from "react"
import { createRoot } from "react-dom/client"
import { ImagePage } from "./ImagePage.tsx"

const root = document.getElementById("root")
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <ImagePage />
    </StrictMode>
  )
}
