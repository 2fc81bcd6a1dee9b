"""XMP of photographs: kept when asked, in every format that has it, without the place unless that is asked for."""

import pytest
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from swapae.errors import PictureError
from swapae.pictures.notes import notes_of
from swapae.pictures.xmp import kept_xmp

PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" xmlns:dji="http://www.dji.com/drone-dji/1.0/"
 exif:GPSLatitude="52,31.2N" dji:GpsLongitude="13.4" tiff:Orientation="6" photoshop:Credit="Agency &amp; Co">
 <exif:GPSLongitude>13,24.3E</exif:GPSLongitude><photoshop:City>Berlin</photoshop:City>
 <Iptc4xmpExt:LocationCreated xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
  <rdf:Bag><rdf:li rdf:parseType="Resource"><Iptc4xmpExt:Sublocation>Mitte</Iptc4xmpExt:Sublocation></rdf:li></rdf:Bag>
 </Iptc4xmpExt:LocationCreated>
 <dc:title xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Alt>
 <rdf:li xml:lang="x-default">Ros\u00e9</rdf:li></rdf:Alt>
 </dc:title></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>""".encode()
PLACES = (b"52,31", b"13,24", b"13.4", b"Berlin", b"Mitte")


@pytest.mark.parametrize("place", [False, True])
def test_what_is_kept_of_a_packet(place):
    kept = kept_xmp(PACKET + b"\0  ", place)
    assert [one in kept for one in PLACES] == [place] * 5
    assert b"Agency &amp; Co" in kept and "Ros\u00e9".encode() in kept and b"Orientation" not in kept
    assert kept_xmp(kept, place) == kept  # it is a packet again


def test_nothing_is_kept_of_places_alone():
    start, end = PACKET.index(b" tiff:Orientation"), PACKET.index(b"<dc:title")
    bare = PACKET[:start] + b">" + PACKET[PACKET.index(b"\n <exif:GPS") : end] + PACKET[PACKET.index(b"</rdf:Desc") :]
    assert kept_xmp(bare, False) is None and kept_xmp(bare, True)


@pytest.mark.parametrize(
    "packet",
    [
        b"no xml",
        PACKET[:400],
        PACKET.decode().encode("utf-16"),
        PACKET + b"\xff",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    ],
)
def test_what_cannot_be_parsed_is_refused(packet):
    with pytest.raises(PictureError, match="cannot be read"):
        kept_xmp(packet, True)


def with_xmp(name, packet):
    """A photograph's file with a packet."""
    picture = Image.new("RGB", (80, 64), (200, 100, 50))
    if name.endswith(".png"):
        texts = PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", packet.decode())
        picture.save(name, pnginfo=texts)
    elif name.endswith(".tif"):
        picture.save(name, tiffinfo={700: packet})
    else:
        picture.save(name, xmp=packet)
    return name


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("source", ["png", "jpg", "webp", "tif"])
def test_every_format_keeps_it_when_asked(run, source, suffix):
    name, out = with_xmp(f"photo.{source}", PACKET), f"out.{suffix}"
    assert notes_of(name).xmp is None
    for options, there, place in (([], False, False), (["--keep-metadata"], True, False), (["--keep-gps"], True, True)):
        assert run("reconstruct", name, "-o", out, *options)[:2] == (0, "")
        packet = Image.open(out).info.get("xmp") or b""
        assert (b"Agency" in packet, b"Berlin" in packet) == (there, place)
    # Turned upright once, as Pillow takes an orientation from XMP too.
    assert Image.open(out).size == (64, 80) and ExifTags.Base.Orientation not in Image.open(out).getexif()


def test_what_is_left_out_is_said(run):
    with_xmp("photo.jpg", b"<x:xmpmeta")
    status, out, _ = run("reconstruct", "photo.jpg", "-o", "out.png", "--keep-metadata")
    assert (status, out) == (0, "out.png is without the photograph's XMP: it cannot be read\n")
    assert run("reconstruct", "photo.jpg", "-o", "out.png")[:2] == (0, "")
    with_xmp("photo.webp", PACKET.replace(b"Agency", b"Agency" + b"x" * 70_000))
    status, out, _ = run("reconstruct", "photo.webp", "-o", "out.jpg", "--keep-metadata")
    assert (status, out) == (0, "out.jpg is without the photograph's XMP: a JPEG has no room for so much\n")
    assert run("reconstruct", "photo.webp", "-o", "out.png", "--keep-metadata")[:2] == (0, "")
