import { openImageSides, type ImageSides } from '../support/image-sides.ts';
import { imageContract } from './images.ts';

/** The contract against the applications in this process: a failure here has a stack, and needs no `make up`. */
describe('all sides of the images, without what stands around them', () => {
  let sides: ImageSides;
  before(async () => {
    sides = await openImageSides();
  });
  after(() => sides?.close());
  const cookie = (): string => sides.cookie;
  imageContract('the monolith’s app', { url: () => sides.monolith.url, cookie });
  imageContract('the image-api’s app', { url: () => sides.imageApi.url, cookie });
  imageContract('the image-api’s app with its own data', { url: () => sides.ownImageApi.url, cookie });
});
