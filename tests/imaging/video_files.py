"""Small video files with the number of each frame painted in, made and read by PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

HEIGHT, WIDTH = 48, 64
BITS = 8
Encoded = tuple[str, dict[str, Any]]


def painted(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A frame (H, W, 3) whose upper rows hold the number as eight blocks, one a bit, over patches of colour."""
    frame = np.full((height, width, 3), 60, np.uint8)
    block = width // BITS
    for bit in range(BITS):
        frame[4:12, bit * block : (bit + 1) * block] = 225 if number >> bit & 1 else 25
    frame[24:40, 8:24] = (200, 60, 30)
    frame[24:40, 32:48] = (30, 60, 200)
    return frame


def number_of(frame: np.ndarray) -> int:
    """The number that is painted in a frame (3, H, W)."""
    block = frame.shape[2] // BITS
    return sum(int(frame[:, 6:10, bit * block + 2 : (bit + 1) * block - 2].mean() > 125) << bit for bit in range(BITS))


def numbers_of(video: np.ndarray) -> list[int]:
    """The numbers painted in the frames of a video (3, N, H, W)."""
    return [number_of(video[:, index]) for index in range(video.shape[1])]


def write_video(
    path: Path,
    codec: str,
    frames: Iterable[np.ndarray],
    *,
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    rate: int = 25,
    container: str | None = None,
    mux: dict[str, str] | None = None,
    encode: dict[str, str] | None = None,
    setup: Callable[[Any], None] | None = None,
) -> Path:
    """Encode frames (H, W, 3); `times` are their presentation times in ms, else `rate` frames a second."""
    quiet = {"libx265": {"x265-params": "log-level=none"}}.get(codec, {})
    base = Fraction(1, rate) if times is None else Fraction(1, 1000)
    with av.open(str(path), "w", format=container, options=mux or {}) as target:
        stream = None
        for index, frame in enumerate(frames):
            if stream is None:
                stream = target.add_stream(codec, rate=rate, options={**quiet, **(encode or {})})
                stream.height, stream.width = frame.shape[:2]
                stream.pix_fmt, stream.time_base, stream.codec_context.time_base = pixels, base, base
                if setup is not None:
                    setup(stream)
            picture = av.VideoFrame.from_ndarray(frame, "rgb24")
            picture.pts, picture.time_base = index if times is None else times[index], base
            target.mux(stream.encode(picture))
        assert stream is not None
        target.mux(stream.encode(None))
    return path


def numbered(path: Path, codec: str, count: int = 30, **options: Any) -> Path:
    """A video of frames that are numbered from 0."""
    return write_video(path, codec, (painted(index) for index in range(count)), **options)


def write_sound(path: Path, codec: str = "aac") -> Path:
    """A file of the video's family that holds a second of silence and no picture."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=48000, layout="mono")
        for index in range(47):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 48000, index * 1024
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


def read_by_pyav(path: Path) -> np.ndarray:
    """All frames (3, N, H, W) uint8 by PyAV, stored orientation."""
    with av.open(str(path)) as source:
        return np.moveaxis(np.stack([frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]), -1, 0)


OPEN_GOP = {"x264-params": "open-gop=1:bframes=3:keyint=10:min-keyint=10:scenecut=0"}
UNEVEN = [0, 40, 80, 200, 240, 250, 500, *range(533, 1292, 33)]
#: File name -> codec and how it is written. All of these OpenCV reads.
KINDS: dict[str, Encoded] = {
    "h264_b_frames.mp4": ("libx264", {"encode": {"bf": "3", "g": "12"}}),
    "h264_front.mp4": ("libx264", {"mux": {"movflags": "faststart"}}),
    "h264_fragments.mp4": ("libx264", {"encode": {"g": "10"}, "mux": {"movflags": "frag_keyframe+empty_moov"}}),
    "h264_late_start.mp4": ("libx264", {"encode": {"bf": "3"}, "times": [2000 + 40 * k for k in range(30)]}),
    "h264_uneven.mp4": ("libx264", {"times": UNEVEN}),
    "h264_uneven.mkv": ("libx264", {"times": UNEVEN}),
    "h264_open_gop.mkv": ("libx264", {"encode": OPEN_GOP}),
    "h264_open_gop.ts": ("libx264", {"encode": OPEN_GOP, "container": "mpegts"}),
    "h264.m2ts": ("libx264", {"container": "mpegts", "mux": {"mpegts_m2ts_mode": "1"}}),
    "h264_gray.mp4": ("libx264", {"pixels": "gray"}),
    "hevc.mp4": ("libx265", {}),
    "prores.mov": ("prores_ks", {"pixels": "yuv422p10le"}),
    "png.mov": ("png", {"pixels": "rgb24"}),
    "png_alpha.mov": ("png", {"pixels": "rgba"}),
    "mpeg4_b_frames.avi": ("mpeg4", {"encode": {"bf": "2"}}),
    "mpeg2.ts": ("mpeg2video", {"container": "mpegts", "encode": {"bf": "2"}}),
    "mjpeg.avi": ("mjpeg", {"pixels": "yuvj420p"}),
    "raw.avi": ("rawvideo", {"pixels": "bgr24"}),
    "huffyuv.avi": ("huffyuv", {"pixels": "rgb24"}),
    "ffv1.mkv": ("ffv1", {"pixels": "bgr0"}),
    "ffv1_10_bit.mkv": ("ffv1", {"pixels": "yuv420p10le"}),
    "vp8.webm": ("libvpx", {}),
    "vp9.webm": ("libvpx-vp9", {}),
}
#: Those that keep every value of RGB.
LOSSLESS = ("png.mov", "png_alpha.mov", "raw.avi", "huffyuv.avi", "ffv1.mkv")
MIMETYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".avi": "video/x-msvideo",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".ts": "video/mp2t",
    ".m2ts": "video/mp2t",
}


def write_kind(folder: Path, name: str) -> Path:
    """The video of this name of `KINDS`, in a folder."""
    codec, options = KINDS[name]
    return numbered(folder / name, codec, **options)
