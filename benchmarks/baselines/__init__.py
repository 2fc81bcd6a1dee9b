"""What swapping autoencoders are measured against, behind one interface and timed in one way.

    python -m benchmarks.baselines --data FOLDER

A method is anything with a `name`, and with one or both of

    embed(image) -> reconstruction
    hybrid(structure, texture) -> image

on images [1, 3, H, W] in [-1, 1]. What it does not do is None. Each file here is one method:

    encoder       the model itself: one forward pass
    latents       the model's codes found by optimisation: Im2StyleGAN (Abdal et al. 2019), and StyleGAN2's projector
    colours       the structure image as it is; means and covariances of colours (Reinhard et al. 2001, and after)
    statistics    means and deviations of features matched (Huang and Belongie 2017, AdaIN), by optimisation of pixels
    strotss       relaxed optimal transport and self-similarity (Kolkin et al. 2019, STROTSS)
    wct2          whitening and colouring of an autoencoder's features, with wavelets (Yoo et al. 2019, WCT2)

WCT2 takes part where SWAPAE_WCT2_WEIGHTS names the folder of its published weights, which were never at hand here, or
the file of the small network that `python -m benchmarks.baselines.wavelets` trains.
"""
