"""Nodes for ComfyUI: link or copy this folder into its `custom_nodes`, with swapae installed beside ComfyUI.

See docs/comfyui.md. ComfyUI reads the two names below.
"""

from swapae.apps.comfyui.nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
