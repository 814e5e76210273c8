"""Images: decoding, copies for the browser, the pixel cache, augmentation, demo scenes.

Import the modules one by one: `cache`, `pixels` and `augment` bring torch with them, the others do not.
"""

__all__ = ["augment", "cache", "cache_files", "decode", "demo", "fetch", "pixels", "thumbnails"]
