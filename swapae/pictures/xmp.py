"""XMP, the metadata that editors write as XML: what is kept of a photograph's in a picture made of it."""

from __future__ import annotations

import re
from xml.dom import minidom

from swapae.errors import PictureError

# By the local names of properties, in whatever namespace: makers of cameras and drones have places in their own.
PLACE = re.compile(
    "gps|latitude|longitude|altitude|location|"
    "^(city|state|country|countrycode|countryname|provincestate|sublocation|worldregion)$",
    re.IGNORECASE,
)
# What is about the file that it was in, or no longer true of a picture that a network made.
NOT_KEPT = re.compile(
    "^(orientation|image(width|length|height)|pixel[xy]dimension|colorspace|iccprofile|thumbnails|makernote|"
    "hasextendedxmp|digitalsourcetype|bitspersample|compression|[xy]resolution|resolutionunit)$",
    re.IGNORECASE,
)
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
BEGIN, END = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>', '<?xpacket end="w"?>'


def kept_xmp(data: bytes, place: bool) -> bytes | None:
    """What is kept of an XMP packet, as another.

    Args:
        data: the packet as the file has it.
        place: keep where the photograph was taken as well.

    Returns:
        UTF-8; None if nothing is left.

    Raises:
        PictureError: it cannot be parsed, or declares entities.
    """
    try:
        text = data.decode("utf-8-sig").strip("\0 \r\n\t")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:  # XMP has none, and they can be made to fill the memory
            raise ValueError("it declares entities")
        root = minidom.parseString(text.encode()).documentElement
    except Exception as error:  # expat's, or of encodings
        raise PictureError("it cannot be read") from error
    assert root is not None  # a document that was parsed has one
    left = 0
    for description in root.getElementsByTagNameNS(RDF, "Description"):
        for attribute in list(description.attributes.values()):
            if attribute.namespaceURI in (RDF, "http://www.w3.org/2000/xmlns/", None):
                continue
            left += not dropped(attribute, place)
            if dropped(attribute, place):
                description.removeAttributeNode(attribute)
        for child in list(description.childNodes):
            if child.nodeType == child.ELEMENT_NODE and dropped(child, place):
                description.removeChild(child)
            left += child.nodeType == child.ELEMENT_NODE and not dropped(child, place)
    return f"{BEGIN}{root.toxml()}{END}".encode() if left else None


def dropped(property: minidom.Element | minidom.Attr, place: bool) -> bool:
    """Whether a property is left out."""
    name = property.localName or ""
    return bool(NOT_KEPT.search(name)) or (not place and bool(PLACE.search(name)))
